/**
 * Kubernetes quantities (`500m`, `64Mi`, `1e3`): exact values, compared and rounded as Kubernetes
 * does.
 *
 * A value is a whole number of nano-units in a bigint, so nothing is lost: what is finer than a
 * nano-unit is rounded away from zero, as `resource.ParseQuantity` does. Standard: apimachinery
 * `api/resource`. Pure.
 */
import { excerpt } from './excerpt.js';

/** A value in nano-units (10⁻⁹). */
export type Nanos = bigint;

/** A text that is not a quantity, or one too large to count with. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const NANO = 1_000_000_000n;

/** Longer texts are no quantities, and turning a million digits into a number takes seconds. */
const MAX_LENGTH = 100;

const PARTS = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/;

const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const BINARY_EXPONENTS: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};

/** Division that rounds away from zero; `divisor` must be positive. */
function divideUp(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  if (dividend % divisor === 0n) return quotient;
  return quotient + (dividend < 0n ? -1n : 1n);
}

/**
 * Reads a quantity; a number counts as its decimal text. Throws `QuantityError` for anything else
 * and for more than 2⁶³ − 1 units, where Kubernetes would silently take that limit instead.
 */
export function parseQuantity(quantity: string | number): Nanos {
  const text = String(quantity);
  const match = text.length > MAX_LENGTH ? null : PARTS.exec(text);
  const [, sign = '', whole = '', fraction = '', suffix = '', exponent] = match ?? [];
  if (match === null || whole + fraction === '') {
    throw new QuantityError(
      `${JSON.stringify(excerpt(text, 100))} is not a quantity such as 500m, 2, 64Mi or 1.5Gi`,
    );
  }
  const binary = BINARY_EXPONENTS[suffix] ?? 0n;
  const decimal = exponent === undefined ? (DECIMAL_EXPONENTS[suffix] ?? 0) : Number(exponent);
  const scale = decimal + 9 - fraction.length;
  const digits = BigInt(whole + fraction) << binary;
  const nanos =
    scale >= 0 ? digits * 10n ** BigInt(scale) : divideUp(digits, 10n ** BigInt(-scale));
  if (nanos > (2n ** 63n - 1n) * NANO)
    throw new QuantityError(`${excerpt(text, 100)} is too large`);
  return sign === '-' ? -nanos : nanos;
}

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a) - parseQuantity(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/**
 * `value ÷ divisor`, rounded up to a whole number, as a container's environment shows it (kubelet
 * behaviour row 147). Throws `QuantityError` when the divisor is not positive or the result is no
 * safe integer.
 */
export function divideQuantities(value: string | number, divisor: string | number): number {
  const by = parseQuantity(divisor);
  if (by <= 0n) throw new QuantityError(`the divisor ${divisor} is not positive`);
  const result = Number(divideUp(parseQuantity(value), by));
  if (!Number.isSafeInteger(result)) throw new QuantityError(`${value} is too large`);
  return result;
}

/** CPU in thousandths of a core, rounded up: `1` → 1000, `0.1m` → 1. Throws `QuantityError`. */
export function parseQuantityMilli(quantity: string | number): number {
  return divideQuantities(quantity, '1m');
}

/** Bytes, or any whole count, rounded up: `64Mi` → 67108864. Throws `QuantityError`. */
export function parseQuantityWhole(quantity: string | number): number {
  return divideQuantities(quantity, 1);
}
