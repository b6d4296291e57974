#if defined(__x86_64__)
#include "target.h"
//
#include "../Vector/elementwise.h"
#endif
