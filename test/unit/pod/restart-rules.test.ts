/** Validation of init containers, restart policies and rules, deadlines: each rule with the path that it names. */
import { table, type Given } from './rule-table.js';

const init = (change: object): Given => ({
  spec: { initContainers: [{ name: 'init', image: 'busybox:1', ...change }] },
});
const INIT = 'spec.initContainers[0]';
const probe = { exec: { command: ['true'] } };
const lifecycle = { preStop: { sleep: { seconds: 1 } } };
const SIDECAR = { restartPolicy: 'Always' };

table('init containers', [
  ['row 116: a plain one', init({}), []],
  ['row 62: a liveness probe', init({ livenessProbe: probe }), [`${INIT}.livenessProbe`]],
  ['row 62: a readiness probe', init({ readinessProbe: probe }), [`${INIT}.readinessProbe`]],
  ['row 62: a startup probe', init({ startupProbe: probe }), [`${INIT}.startupProbe`]],
  ['row 62: a hook', init({ lifecycle }), [`${INIT}.lifecycle`]],
  [
    'row 115: a sidecar with probes and hooks',
    init({ ...SIDECAR, startupProbe: probe, lifecycle }),
    [],
  ],
  [
    'a policy that makes no sidecar of it',
    init({ restartPolicy: 'Never' }),
    [`${INIT}.restartPolicy`],
  ],
  ['row 62: the name of an app container', init({ name: 'app' }), ['spec.containers[0].name']],
]);

const rules = (...restartPolicyRules: object[]) => ({ restartPolicy: 'Never', restartPolicyRules });
const codes = (operator: string, ...values: unknown[]) => ({
  action: 'Restart',
  exitCodes: { operator, values },
});
const APP = 'spec.containers[0]';
const RULE = `${APP}.restartPolicyRules[0]`;

table('restart policies of containers', [
  ['row 89: each of the three', { container: { restartPolicy: 'OnFailure' } }, []],
  ['row 89: another', { container: { restartPolicy: 'Sometimes' } }, [`${APP}.restartPolicy`]],
  [
    'row 89: rules on exit codes',
    { container: rules(codes('In', 42), codes('NotIn', 0, 255)) },
    [],
  ],
  [
    'row 89: rules without a policy',
    { container: { restartPolicyRules: [codes('In', 42)] } },
    [`${APP}.restartPolicy`],
  ],
  [
    'row 89: another action',
    { container: rules({ ...codes('In', 1), action: 'Reboot' }) },
    [`${RULE}.action`],
  ],
  [
    'row 89: a rule that speaks of nothing',
    { container: rules({ action: 'Restart' }) },
    [`${RULE}.exitCodes`],
  ],
  [
    'row 89: another operator',
    { container: rules(codes('Equals', 1)) },
    [`${RULE}.exitCodes.operator`],
  ],
  [
    'row 89: no exit code of a program',
    { container: rules(codes('In', 256)) },
    [`${RULE}.exitCodes.values`],
  ],
  [
    'row 89: more rules than 20',
    { container: rules(...Array.from({ length: 21 }, () => codes('In', 1))) },
    [`${APP}.restartPolicyRules`],
  ],
  [
    'row 89: a sidecar that restarts all',
    init({
      ...SIDECAR,
      restartPolicyRules: [{ ...codes('In', 42), action: 'RestartAllContainers' }],
    }),
    [],
  ],
  ['row 89: rules of a plain init container', init(rules(codes('In', 42))), []],
]);

table('deadlines', [
  ['row 189: a second', { spec: { activeDeadlineSeconds: 1 } }, []],
  [
    'row 189: no time at all',
    { spec: { activeDeadlineSeconds: 0 } },
    ['spec.activeDeadlineSeconds'],
  ],
]);
