/** A status of a node that has nothing to say; what a test or a simulation wants said is put over it. */
import type { NodeStamp, StatusDocument } from '../../protocol/documents/node.js';

export function plainStatus(
  stamp: NodeStamp,
  counter: number,
  change: Partial<StatusDocument> = {},
): StatusDocument {
  return {
    ...stamp,
    counter,
    at: new Date().toISOString(),
    epoch: 1,
    generation: 1,
    rootVersion: 1,
    clock: 'synced',
    clockOffset: null,
    development: true,
    lastRefusal: null,
    history: { row: 0, head: null, oldest: 0, known: null },
    reads: {},
    conditions: [],
    info: {
      agentVersion: '0.1.0',
      architecture: 'amd64',
      operatingSystem: 'linux',
      osImage: 'Debian',
      kernelVersion: '6.1',
      containerRuntimeVersion: 'docker://28.2.2',
      bootID: 'b',
      machineID: 'm',
      addresses: [],
    },
    capacity: {},
    allocatable: {},
    bundles: [],
    pods: {},
    ...change,
  };
}
