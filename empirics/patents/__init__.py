"""Patents and earnings calls: which texts speak of rare earths, of which region, year and industry, and to what end."""
