// What cmake/prelude.h is for the modules, for the unit tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prelude.h"
