/*
 * crc_impl.h - what the CRC files share: polynomials in reflected bit order.
 *
 * In reflected order the highest bit of a register is the coefficient of x^0,
 * the lowest that of the highest power.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define CRC32_POLY 0xedb88320u
#define CRC32C_POLY 0x82f63b78u
#define CRC64NVME_POLY 0x9a6c9329ac4bc9b5u

/* x^n modulo a polynomial; top: the bit of x^0, which also says how wide it is. */
uint64_t crc_x_pow(uint64_t n, uint64_t poly, uint64_t top);
/*
 * For tests: CRC64-NVME by one way (0 tables, 1 PCLMUL, 2 VPCLMUL), from *crc on. -1 if this
 * processor cannot do that.
 */
int crc64nvme_way(int way, uint64_t *crc, str bytes);
