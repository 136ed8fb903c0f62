/** The version of this release: agent, hub and protocol are released together. */
export const VERSION = '0.1.0';

/**
 * No machine runs this release before this time: part of every node's time floor (security.md 1.6). Moved with the
 * version; never past the day on which it is built.
 */
export const RELEASED_AT = Date.parse('2026-01-01T00:00:00.000Z');
