#include "CWire.h"
void cohort_placeholder(void) {}
