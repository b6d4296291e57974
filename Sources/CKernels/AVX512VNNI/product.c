#if defined(__x86_64__)
#include "target.h"
//
#include "../Vector/product.h"
#endif
