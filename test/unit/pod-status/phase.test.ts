/**
 * The phase of a pod, row by row: the kubelet's own tables (TestPodPhaseWith… of `pkg/kubelet/kubelet_pods_test.go`)
 * and what restart rules of single containers add.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { byName, phaseOf, type Phase } from '../../../agent/pods/pod-phase.js';
import type { Container, ContainerState, ContainerStatus, PodSpec } from '../../../protocol/pod.js';

type Policy = 'Always' | 'Never' | 'OnFailure';

function status(name: string, state: ContainerState, change: Partial<ContainerStatus> = {}) {
  return { name, image: 'i', imageID: '', ready: false, restartCount: 0, state, ...change };
}

const ended = (exitCode: number): ContainerState => ({ terminated: { exitCode } });
const running = (name: string) => status(name, { running: {} });
const started = (name: string) => status(name, { running: {} }, { started: true });
const succeeded = (name: string) => status(name, ended(0));
const failed = (name: string) => status(name, ended(-1));
const waiting = (name: string) => status(name, { waiting: {} });
const waitingAfter = (name: string, exitCode: number) =>
  status(name, { waiting: {} }, { lastState: ended(exitCode) });

const SIDECAR = { restartPolicy: 'Always' };

function spec(restartPolicy: Policy, app: Container[], init: Container[] = []): PodSpec {
  return { restartPolicy, containers: app, initContainers: init };
}

const AB = [{ name: 'A' }, { name: 'B' }];
const X = [{ name: 'X' }];
const SIDE = [{ name: 'X', ...SIDECAR }];
const INIT_AND_SIDE = [{ name: 'X' }, { name: 'Y', ...SIDECAR }];

type Row = readonly [sentence: string, statuses: readonly ContainerStatus[], phase: Phase];

const TABLES: readonly { name: string; spec: PodSpec; rows: readonly Row[] }[] = [
  {
    name: 'rows 190, 191, Always',
    spec: spec('Always', AB),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['all run', [running('A'), running('B')], 'Running'],
      ['all stopped', [failed('A'), failed('B')], 'Running'],
      ['all succeeded', [succeeded('A'), succeeded('B')], 'Running'],
      ['one runs, one stopped', [running('A'), failed('B')], 'Running'],
      ['one runs, of the other nothing is known', [running('A')], 'Pending'],
      ['one runs, one waits and never ran', [running('A'), waiting('B')], 'Pending'],
      ['one runs, one is in a crash loop', [running('A'), waitingAfter('B', 0)], 'Running'],
    ],
  },
  {
    name: 'row 192, Never',
    spec: spec('Never', AB),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['all run', [running('A'), running('B')], 'Running'],
      ['all succeeded', [succeeded('A'), succeeded('B')], 'Succeeded'],
      ['all failed', [failed('A'), failed('B')], 'Failed'],
      ['one succeeded, one failed', [succeeded('A'), failed('B')], 'Failed'],
      ['one runs, one succeeded', [running('A'), succeeded('B')], 'Running'],
      ['one runs, of the other nothing is known', [running('A')], 'Pending'],
      ['one runs, one waits and never ran', [running('A'), waiting('B')], 'Pending'],
    ],
  },
  {
    name: 'row 192, OnFailure',
    spec: spec('OnFailure', AB),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['all run', [running('A'), running('B')], 'Running'],
      ['all succeeded', [succeeded('A'), succeeded('B')], 'Succeeded'],
      ['all failed', [failed('A'), failed('B')], 'Running'],
      ['one succeeded, one failed', [succeeded('A'), failed('B')], 'Running'],
      ['one runs, one succeeded', [running('A'), succeeded('B')], 'Running'],
      ['one runs, of the other nothing is known', [running('A')], 'Pending'],
      ['one runs, one waits and never ran', [running('A'), waiting('B')], 'Pending'],
      ['one runs, one is in a crash loop', [running('A'), waitingAfter('B', 0)], 'Running'],
    ],
  },
  {
    name: 'rows 116, 117, an init container, Always',
    spec: spec('Always', AB, X),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['it runs', [running('X')], 'Pending'],
      ['it failed', [failed('X')], 'Pending'],
      ['it waits after a success', [waitingAfter('X', 0)], 'Pending'],
      ['it waits after a failure', [waitingAfter('X', -1)], 'Pending'],
      ['it waits and never ran', [waiting('X')], 'Pending'],
      ['it succeeded, all run', [succeeded('X'), running('A'), running('B')], 'Running'],
      // T39: after a reboot of the node.
      ['it runs again, the apps stopped', [running('X'), failed('A'), failed('B')], 'Pending'],
    ],
  },
  {
    name: 'rows 116, 117, an init container, Never',
    spec: spec('Never', AB, X),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['it runs', [running('X')], 'Pending'],
      ['it failed', [failed('X')], 'Failed'],
      ['it failed, the apps wait', [failed('X'), waiting('A'), waiting('B')], 'Failed'],
      ['it waits after a success', [waitingAfter('X', 0)], 'Pending'],
      ['it waits after a failure', [waitingAfter('X', -1)], 'Failed'],
      ['it waits and never ran', [waiting('X')], 'Pending'],
      ['it succeeded, all run', [succeeded('X'), running('A'), running('B')], 'Running'],
    ],
  },
  {
    name: 'row 121, a sidecar, Always',
    spec: spec('Always', AB, SIDE),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['it runs', [running('X')], 'Pending'],
      ['it stopped', [failed('X')], 'Pending'],
      ['it waits after a success', [waitingAfter('X', 0)], 'Pending'],
      ['it waits after a failure', [waitingAfter('X', -1)], 'Pending'],
      ['it waits and never ran', [waiting('X')], 'Pending'],
      ['it started, one app runs', [started('X'), running('A')], 'Pending'],
      ['it started, all run', [started('X'), running('A'), running('B')], 'Running'],
      ['it runs and has not started', [running('X'), running('A'), running('B')], 'Running'],
      ['it stopped, all run', [failed('X'), running('A'), running('B')], 'Running'],
      ['it is in a crash loop', [waitingAfter('X', 0), running('A'), running('B')], 'Running'],
    ],
  },
  {
    name: 'rows 121, 122, a sidecar, Never',
    spec: spec('Never', AB, SIDE),
    rows: [
      ['nothing is known', [], 'Pending'],
      ['it runs', [running('X')], 'Pending'],
      ['it stopped', [failed('X')], 'Pending'],
      ['it waits after a success', [waitingAfter('X', 0)], 'Pending'],
      ['it waits after a failure', [waitingAfter('X', -1)], 'Pending'],
      ['it waits and never ran', [waiting('X')], 'Pending'],
      ['it started, one app runs', [started('X'), running('A')], 'Pending'],
      [
        'it still runs, the apps are done',
        [started('X'), succeeded('A'), succeeded('B')],
        'Running',
      ],
      [
        'it never started, the apps are done',
        [running('X'), succeeded('A'), succeeded('B')],
        'Running',
      ],
      ['all succeeded', [succeeded('X'), succeeded('A'), succeeded('B')], 'Succeeded'],
      // T61: a sidecar's exit code never counts, an app's does.
      ['it failed, the apps succeeded', [failed('X'), succeeded('A'), succeeded('B')], 'Succeeded'],
      ['it succeeded, an app failed', [succeeded('X'), failed('A'), succeeded('B')], 'Failed'],
      [
        'it waits after a success, the apps succeeded',
        [waitingAfter('X', 0), succeeded('A'), succeeded('B')],
        'Succeeded',
      ],
      [
        'it waits after a failure, the apps succeeded',
        [waitingAfter('X', -1), succeeded('A'), succeeded('B')],
        'Succeeded',
      ],
    ],
  },
  {
    name: 'a pod with an init container and a sidecar that has run, Always',
    spec: spec('Always', [{ name: 'A' }], INIT_AND_SIDE),
    rows: [
      ['all three run', [running('X'), running('Y'), running('A')], 'Pending'],
      ['the app stopped, both others run', [running('X'), running('Y'), failed('A')], 'Pending'],
      ['the app stopped, the sidecar runs', [succeeded('X'), running('Y'), failed('A')], 'Running'],
      ['the sidecar and the app run', [succeeded('X'), running('Y'), running('A')], 'Running'],
    ],
  },
  {
    name: 'row 89, restart policies of single containers in a Never pod',
    spec: spec('Never', [{ name: 'A', restartPolicy: 'OnFailure' }, { name: 'B' }]),
    rows: [
      ['the one that is restarted failed', [failed('A'), succeeded('B')], 'Running'],
      ['it succeeded', [succeeded('A'), succeeded('B')], 'Succeeded'],
      ['the other failed', [succeeded('A'), failed('B')], 'Failed'],
    ],
  },
  {
    name: 'row 89, exit code rules in a Never pod',
    spec: spec('Never', [
      {
        name: 'A',
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
      } as Container,
    ]),
    rows: [
      ['it ended with 42', [status('A', ended(42))], 'Running'],
      ['it ended with 41', [status('A', ended(41))], 'Failed'],
    ],
  },
];

for (const table of TABLES) {
  describe(table.name, () => {
    for (const [sentence, statuses, phase] of table.rows) {
      test(`${sentence}: ${phase}`, () => {
        assert.equal(phaseOf(table.spec, byName(statuses)), phase);
      });
    }
  });
}
