/** The version of this release: agent, hub and protocol are released together. */
export const VERSION = '0.1.0';
