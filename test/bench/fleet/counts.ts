/** What a fleet said and heard, added up over all its devices. Times are nanoseconds of this machine's monotonic clock, shared by its processes. */

export interface Counts {
  connected: number;
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** Signatures that were checked and made. */
  verified: number;
  signed: number;
  /** Assignments that came, whether or not their node has looked at them. */
  arrived: number;
  lastArrivalNs: number;
  /** Assignments that were new to their node. */
  assignments: number;
  /** Revisions that became healthy, or failed. */
  healthy: number;
  failed: number;
  /** Statuses that the hub confirmed. */
  confirmed: number;
  /** Bytes of the assignments. */
  assignmentBytes: number;
  lastConfirmedNs: number;
}

export function noCounts(connected = 0): Counts {
  return {
    ...{ connected, received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, verified: 0, signed: 0 },
    ...{
      arrived: 0,
      lastArrivalNs: 0,
      assignments: 0,
      healthy: 0,
      failed: 0,
      confirmed: 0,
      assignmentBytes: 0,
    },
    ...{ lastConfirmedNs: 0 },
  };
}

export function nowNs(): number {
  return Number(process.hrtime.bigint());
}
