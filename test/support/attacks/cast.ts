/** Who takes part in the attacks: the node that is attacked, another device of its fleet, people who sign, and a stranger. */
import { signer } from '../fleet.js';

export const NODE = 'edge-1';
export const OTHER = 'edge-2';
/** Release keys of the bundles `two/*`, of which two have to sign. */
export const PEOPLE = ['ann', 'ben', 'cleo'].map(name => signer(`release ${name}`));
export const STRANGER = signer('stranger');
