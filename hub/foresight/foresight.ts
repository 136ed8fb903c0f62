/** The port at which people ask what a change would cost and how it would go: types only. */
import type { RehearsalBasis } from './basis.js';
import type { NodePrice } from './price.js';
import type { BasisQuestion } from './read-basis.js';
import type { PriceQuestion } from './read-price.js';

export interface Foresight {
  /** Throws `RequestError` `Invalid` for content that no apply takes. */
  price(question: PriceQuestion): Promise<readonly NodePrice[]>;
  /** What a rehearsal begins from. Throws `RequestError` `NotFound`. */
  basis(question: BasisQuestion): Promise<RehearsalBasis>;
}
