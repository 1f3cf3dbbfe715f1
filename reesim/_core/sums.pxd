"""The sums of ``sums.h``; each says there what it computes."""

cdef extern from "sums.h" nogil:
    void importer_sums(Py_ssize_t N, Py_ssize_t S, const double* weight, const double* x, double* out) noexcept
    void exporter_sums(Py_ssize_t N, Py_ssize_t S, const double* weight, const double* x, double* out) noexcept
    void exporter_sums_received(
        Py_ssize_t N, Py_ssize_t S, const double* weight, const double* x, const double* pull, double* out, double* received
    ) noexcept
    void input_costs(Py_ssize_t N, Py_ssize_t S, const double* phi, const double* x, double* out) noexcept
    void add_input_demand(Py_ssize_t N, Py_ssize_t S, const double* phi, const double* amount, double* out) noexcept
    double dot(Py_ssize_t n, const double* x, const double* y) noexcept
    void add_scaled(Py_ssize_t n, double a, const double* x, double* y) noexcept
