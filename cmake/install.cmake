# Filled by the installed package's rules.
include_guard(GLOBAL)
