/** Marks what a restore holds. A name alone: clients read it too. */

/** On a bundle that stays on its nodes as they have it until it is applied again. The value: since when, RFC 3339. */
export const HELD_ANNOTATION = 'flotilla.dev/held';
