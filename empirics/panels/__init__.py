"""Panels to estimate on: the user's own, exports of the World Input-Output Database, and what a simulated path would show."""
