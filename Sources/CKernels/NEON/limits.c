#if defined(__aarch64__)
#include "target.h"
//
#include "../Vector/limits.h"
#endif
