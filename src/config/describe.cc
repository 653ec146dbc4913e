#include "config/describe.h"
