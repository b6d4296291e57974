#if defined(__aarch64__)
#include "target.h"
//
#include "../Vector/quantize.h"
#endif
