/** Reasons of a bundle's state that node and hub both go by. API: never renamed. */

/** A person at the device went back from this revision; told in state `failed`, then `rolledBack`. */
export const UNDONE = 'UndoneAtDevice';

/** A person at the device wants it after all; told in state `staged` or `activating`, until something else is to be said. */
export const REDONE = 'RedoneAtDevice';

/** No maintenance window is open; told in state `waiting`. */
export const WINDOW = 'Window';

/** A person at the device keeps it as it is; told in states `waiting` and `removing`. */
export const HELD = 'Held';

/** A pod asks not to be disturbed; told in state `waiting`. */
export const LOCKED = 'Locked';

/** The node could not go back from it, which its rollout requires; told in state `waiting`. */
export const NOT_UNDO_READY = 'NotUndoReady';

/** The node has no value for a parameter that one of its pods needs; told in state `waiting`. */
export const MISSING_PARAMETER = 'MissingParameter';

/** Another bundle has a pod name or a host port of it there; told in state `waiting`. */
export const CONFLICT = 'Conflict';

/** Its Secret is not sealed for the node; told in state `waiting`. */
export const SECRET_NOT_SEALED = 'SecretNotSealed';

/** Condition of a node where a pod keeps something from being switched, removed or undone. */
export const UPDATES_LOCKED = 'UpdatesLocked';

/** Its files lie there, and nobody tells the node how their pods are; told in state `activating`. */
export const HEALTH_UNKNOWN = 'HealthUnknown';

/** Reasons whose sentence says whom to ask or what to do: when another is to be asked, or the next thing is lacking, it is told, and people see it at the hub. */
export const SAYS_WHAT_TO_DO: ReadonlySet<string> = new Set([
  CONFLICT,
  HELD,
  MISSING_PARAMETER,
  SECRET_NOT_SEALED,
]);
