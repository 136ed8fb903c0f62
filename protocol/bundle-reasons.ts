/** Reasons of a bundle's state that node and hub both go by. API: never renamed. */

/** A person at the device went back from this revision; told in state `failed`, then `rolledBack`. */
export const UNDONE = 'UndoneAtDevice';

/** A pod asks not to be disturbed; told in state `waiting`. */
export const LOCKED = 'Locked';

/** Its files lie there, and nobody tells the node how their pods are; told in state `activating`. */
export const HEALTH_UNKNOWN = 'HealthUnknown';
