#include "ApusShims.h"
