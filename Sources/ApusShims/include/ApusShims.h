// What Swift cannot say: one header a subject. Everything that depends on the instruction set is `static inline`, so
// that each kernel target compiles it with its own -march.
#pragma once
#include "ApusVectors.h"
#include "ApusPieces.h"
#include "ApusMemory.h"
#include "ApusError.h"
#include "ApusPlatform.h"
#include "ApusThreads.h"
#include "ApusOpenMP.h"
#include "ApusVerbose.h"
