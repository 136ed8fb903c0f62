/** Implements `Foresight` on the hub's store. */
import type { Foresight } from './foresight.js';
import { readBasis } from './read-basis.js';
import { readPrice, type PriceParts } from './read-price.js';

export function foresight(parts: PriceParts): Foresight {
  return {
    price: question => readPrice(parts, question),
    basis: question => readBasis(parts, question),
  };
}
