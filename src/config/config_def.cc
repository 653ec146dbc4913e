#include "config/config_def.h"
