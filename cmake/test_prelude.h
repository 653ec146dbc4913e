// What cmake/prelude.h is for the modules, for the unit tests.
#pragma once

#include "prelude.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
