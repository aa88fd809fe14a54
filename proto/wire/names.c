/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"
