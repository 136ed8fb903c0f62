/** Properly signed pods that no owner of a node wants: S93, S94, S96–S98. Signers and hub are the attacker's. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { ReleaseScope } from '../../../protocol/documents/root.js';
import { docker, TEST_IMAGE } from '../../support/docker.js';
import { bundle, publishBundle } from '../../support/attacks/make.js';
import { refusesBundle } from '../../support/attacks/refusal.js';
import { attacks, type Stage } from '../../support/attacks/row.js';
import { podText } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';

type Spec = Record<string, unknown>;

const CONTAINER = { command: ['sleep', '1000'], image: TEST_IMAGE, name: 'app' };
const containers = (change: Spec) => ({ containers: [{ ...CONTAINER, ...change }] });
const secured = (securityContext: Spec) => containers({ securityContext });
const mounted = (path: string, change: Spec = {}) => ({
  ...containers({ volumeMounts: [{ mountPath: '/v', name: 'v', ...change }] }),
  volumes: [{ hostPath: { path }, name: 'v' }],
});

const GREEDY: Readonly<Record<string, Spec>> = {
  privileged: secured({ privileged: true }),
  'host-pid': { hostPID: true },
  'host-ipc': { hostIPC: true },
  'host-network': { hostNetwork: true },
  'sys-admin': secured({ capabilities: { add: ['SYS_ADMIN'] } }),
  'all-capabilities': secured({ capabilities: { add: ['ALL'] } }),
  'whole-disk': mounted('/'),
  'engine-socket': mounted('/var/run/docker.sock'),
  proc: mounted('/proc'),
  device: mounted('/dev/sda'),
  unconfined: secured({ seccompProfile: { type: 'Unconfined' } }),
  'unconfined-pod': { securityContext: { seccompProfile: { type: 'Unconfined' } } },
  apparmor: secured({ appArmorProfile: { type: 'Unconfined' } }),
  sysctl: { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '65536' }] } },
  'low-port': containers({ ports: [{ containerPort: 80, hostPort: 80 }] }),
};

/** The same by other doors. */
const BY_OTHER_DOORS: Readonly<Record<string, Spec>> = {
  'init-container': {
    initContainers: [{ ...CONTAINER, name: 'init', securityContext: { privileged: true } }],
  },
  'unmasked-proc': secured({ procMount: 'Unmasked' }),
  ephemeral: {
    ephemeralContainers: [{ ...CONTAINER, name: 'e', securityContext: { privileged: true } }],
  },
  misspelt: secured({ priviledged: true }),
  'other-case': { HostPID: true },
  unknown: { hostEverything: true },
};

/** The signers may ask for anything; what is left is the node's own word. */
async function signersMayAll(victim: Victim): Promise<void> {
  const free = (scope: ReleaseScope): ReleaseScope => ({ ...scope, podSecurity: 'privileged' });
  const release = victim.root.roles.release.map(role => ({
    ...role,
    scopes: role.scopes.map(free),
  }));
  await victim.publishRoot({ roles: { ...victim.root.roles, release } });
}

async function greedy(victim: Victim, specs: Readonly<Record<string, Spec>>): Promise<void> {
  await signersMayAll(victim);
  for (const [name, spec] of Object.entries(specs)) {
    const made = bundle(victim, { name }, [podText('greedy', spec)]);
    await refusesBundle(victim, made.assigned, {
      code: ['Policy', 'Malformed', 'Unsupported'],
      send: () => publishBundle(victim, made),
    });
  }
}

async function shellCharacters(victim: Victim): Promise<void> {
  const file = victim.play.path('pwned');
  const text = `"; touch ${file}; $(touch ${file}) \`touch ${file}\`\n&& touch ${file} #`;
  const labelled = { ...podText('quoted') };
  labelled['metadata'] = { labels: { app: text }, name: 'quoted', namespace: 'default' };
  const bad = bundle(victim, { name: 'labelled' }, [labelled]);
  await refusesBundle(victim, bad.assigned, {
    code: 'Malformed',
    send: () => publishBundle(victim, bad),
  });
  const env = [{ name: 'TEXT', value: text }];
  const quoted = { ...podText('quoted', containers({ env })) };
  quoted['metadata'] = { annotations: { note: text }, name: 'quoted', namespace: 'default' };
  const good = bundle(victim, { name: 'quoted' }, [quoted]);
  await publishBundle(victim, good);
  await victim.runs(good.assigned);
  assert.ok(!existsSync(file), 'a shell read it');
}

/** Without anything asked for, a container of a bundle has bounds on this node. */
function hasBounds(victim: Victim): void {
  const format =
    '{{.HostConfig.PidsLimit}} {{index .HostConfig.LogConfig.Config "max-size"}} {{.HostConfig.OomScoreAdj}}';
  const all = victim.containers().filter(id => id !== '');
  const apps = all.filter(id => docker('inspect', '--format', '{{.Name}}', id).includes('_app_'));
  assert.ok(apps.length > 0);
  for (const id of apps) {
    const [processes, log = '', oomScore] = docker('inspect', '--format', format, id).split(' ');
    assert.ok(Number(processes) > 0, `processes: ${processes}`);
    assert.match(log, /^\d+/, `log: ${log}`);
    assert.equal(oomScore, '1000', 'it goes first when memory runs out');
  }
}

const open = (run: (victim: Victim) => Promise<unknown> | void) => async (stage: Stage) => {
  await run(await stage.open());
};

attacks('the node by properly signed pods', [
  { id: 'S93', title: 'pods that want the machine', run: open(victim => greedy(victim, GREEDY)) },
  {
    id: 'S94',
    title: 'the same through init containers, unknown and misspelt fields',
    run: open(victim => greedy(victim, BY_OTHER_DOORS)),
  },
  {
    id: 'S96',
    title: 'a subPath on a host path',
    run: open(victim => greedy(victim, { 'sub-path': mounted('/tmp', { subPath: 'link' }) })),
  },
  { id: 'S97', title: 'shell characters and newlines in texts', run: open(shellCharacters) },
  { id: 'S98', title: 'no limits', run: open(hasBounds) },
]);
