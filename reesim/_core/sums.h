/* The sums in which a pass spends its time, for the widest vectors of the processor it runs on.

   GCC on Linux compiles each function for three generations of x86-64 and picks one when the module is loaded; elsewhere, and in
   debug builds, there is one. Trade arrays are (j, i, s), N by N by S; `x` and `out` are (N, S). */

#ifndef REESIM_SUMS_H
#define REESIM_SUMS_H

#include <Python.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((unused, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__GNUC__)
#define WIDE __attribute__((unused))
#else
#define WIDE
#endif

/* out_is = sum_j weight_jis x_js, four exporters at a time to spare the sums' way to memory and back */
WIDE static void importer_sums(Py_ssize_t N, Py_ssize_t S, const double *restrict weight, const double *restrict x,
                               double *restrict out)
{
    const Py_ssize_t row = N * S;
    Py_ssize_t j, i, s;
    for (i = 0; i < row; i++)
        out[i] = 0.0;
    for (j = 0; j + 4 <= N; j += 4) {
        const double *a = x + j * S, *b = a + S, *c = b + S, *d = c + S;
        for (i = 0; i < N; i++) {
            const double *w = weight + j * row + i * S;
            double *o = out + i * S;
            for (s = 0; s < S; s++)
                o[s] += (w[s] * a[s] + w[row + s] * b[s]) + (w[2 * row + s] * c[s] + w[3 * row + s] * d[s]);
        }
    }
    for (; j < N; j++)
        for (i = 0; i < N; i++)
            for (s = 0; s < S; s++)
                out[i * S + s] += weight[j * row + i * S + s] * x[j * S + s];
}

/* out_js = sum_i weight_jis x_is */
WIDE static void exporter_sums(Py_ssize_t N, Py_ssize_t S, const double *restrict weight, const double *restrict x,
                               double *restrict out)
{
    Py_ssize_t j, i, s;
    for (j = 0; j < N; j++) {
        const double *w = weight + j * N * S, *a = x;
        double *o = out + j * S;
        for (s = 0; s < S; s++)
            o[s] = 0.0;
        for (i = 0; i + 4 <= N; i += 4, w += 4 * S, a += 4 * S)
            for (s = 0; s < S; s++)
                o[s] += (w[s] * a[s] + w[S + s] * a[S + s]) + (w[2 * S + s] * a[2 * S + s] + w[3 * S + s] * a[3 * S + s]);
        for (; i < N; i++, w += S, a += S)
            for (s = 0; s < S; s++)
                o[s] += w[s] * a[s];
    }
}

/* the same, and received_i = sum_js pull_js weight_jis x_is: what all exporters get from i */
WIDE static void exporter_sums_received(Py_ssize_t N, Py_ssize_t S, const double *restrict weight, const double *restrict x,
                                        const double *restrict pull, double *restrict out, double *restrict received)
{
    Py_ssize_t j, i, s;
    for (i = 0; i < N; i++)
        received[i] = 0.0;
    for (j = 0; j < N; j++) {
        const double *w = weight + j * N * S, *a = x, *p = pull + j * S;
        double *o = out + j * S;
        for (s = 0; s < S; s++)
            o[s] = 0.0;
        for (i = 0; i + 2 <= N; i += 2, w += 2 * S, a += 2 * S) {
            double first = 0.0, second = 0.0;
            for (s = 0; s < S; s++) {
                const double u = w[s] * a[s], v = w[S + s] * a[S + s];
                o[s] += u + v;
                first += p[s] * u;
                second += p[s] * v;
            }
            received[i] += first;
            received[i + 1] += second;
        }
        for (; i < N; i++, w += S, a += S) {
            double only = 0.0;
            for (s = 0; s < S; s++) {
                o[s] += w[s] * a[s];
                only += p[s] * w[s] * a[s];
            }
            received[i] += only;
        }
    }
}

/* out_ik = sum_s phi_iks x_is */
WIDE static void input_costs(Py_ssize_t N, Py_ssize_t S, const double *restrict phi, const double *restrict x,
                             double *restrict out)
{
    Py_ssize_t i, k, s;
    for (i = 0; i < N; i++)
        for (k = 0; k < S; k++) {
            const double *f = phi + (i * S + k) * S, *a = x + i * S;
            double total = 0.0;
            for (s = 0; s < S; s++)
                total += f[s] * a[s];
            out[i * S + k] = total;
        }
}

/* out_is += sum_k phi_iks amount_ik */
WIDE static void add_input_demand(Py_ssize_t N, Py_ssize_t S, const double *restrict phi, const double *restrict amount,
                                  double *restrict out)
{
    Py_ssize_t i, k, s;
    for (i = 0; i < N; i++) {
        const double *f = phi + i * S * S, *a = amount + i * S;
        double *o = out + i * S;
        for (k = 0; k + 4 <= S; k += 4, f += 4 * S)
            for (s = 0; s < S; s++)
                o[s] += (f[s] * a[k] + f[S + s] * a[k + 1]) + (f[2 * S + s] * a[k + 2] + f[3 * S + s] * a[k + 3]);
        for (; k < S; k++, f += S)
            for (s = 0; s < S; s++)
                o[s] += f[s] * a[k];
    }
}

WIDE static double dot(Py_ssize_t n, const double *restrict x, const double *restrict y)
{
    double total = 0.0;
    for (Py_ssize_t c = 0; c < n; c++)
        total += x[c] * y[c];
    return total;
}

/* y += a x */
WIDE static void add_scaled(Py_ssize_t n, double a, const double *restrict x, double *restrict y)
{
    for (Py_ssize_t c = 0; c < n; c++)
        y[c] += a * x[c];
}

#endif
