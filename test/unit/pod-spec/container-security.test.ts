/** The security context of a container, from the pod's and its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ContainerConfigError,
  containerSecurity,
  needsImageUser,
  seccompFile,
} from '../../../agent/pods/container-security.js';
import { PLAIN_SECURITY, type ContainerSecurity } from '../../../agent/runtime/runtime.js';
import type { PodSecurityContext, SecurityContext } from '../../../protocol/pod.js';
import { manifest, wish } from '../../support/pods.js';

interface Given {
  readonly pod?: PodSecurityContext;
  readonly own?: SecurityContext;
  readonly imageUser?: string;
  readonly seccompProfile?: string;
  readonly annotations?: Record<string, string>;
}

function podOf({ pod = {}, own = {}, annotations = {} }: Given) {
  const { pod: made } = wish(
    manifest('web', {
      uid: 'u-1',
      annotations,
      spec: { securityContext: pod },
      containers: [{ name: 'app', image: 'shop/web:1', securityContext: own }],
    }),
  );
  const [container] = made.spec.containers;
  assert.ok(container !== undefined);
  return { made, container };
}

function securityOf(given: Given): ContainerSecurity {
  const { made, container } = podOf(given);
  const { imageUser = '', seccompProfile = null } = given;
  return containerSecurity(made, container, { imageUser, seccompProfile });
}

const LOCALHOST = { type: 'Localhost', localhostProfile: 'strict.json' };
const ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/app';

const rows: readonly [string, Given, Partial<ContainerSecurity>][] = [
  ['row 156: without a context nothing is set', {}, PLAIN_SECURITY],
  [
    'row 156: the container’s user stands over the pod’s, the pod’s group stays',
    { pod: { runAsUser: 1000, runAsGroup: 2000 }, own: { runAsUser: 7 } },
    { user: '7:2000' },
  ],
  [
    'row 156: a false of the container stands over a true of the pod',
    { pod: { runAsNonRoot: true }, own: { runAsNonRoot: false }, imageUser: '0' },
    { user: '' },
  ],
  [
    'row 156: SELinux options are replaced as a whole',
    {
      pod: { seLinuxOptions: { type: 'a_t', level: 's0' } },
      own: { seLinuxOptions: { type: 'b_t' } },
    },
    { seLinux: ['type:b_t'] },
  ],
  ['row 157: a user alone', { own: { runAsUser: 1000 } }, { user: '1000' }],
  ['row 157: user 0 is a user', { own: { runAsUser: 0 } }, { user: '0' }],
  ['row 157: user and group', { own: { runAsUser: 1, runAsGroup: 2 } }, { user: '1:2' }],
  [
    'row 157: a group alone keeps the image’s user',
    { own: { runAsGroup: 5 }, imageUser: 'www:www' },
    { user: 'www:5' },
  ],
  ['row 157: a group alone with an image of root', { own: { runAsGroup: 5 } }, { user: '0:5' }],
  [
    'row 157: fsGroup and supplemental groups, each once',
    { pod: { fsGroup: 9, supplementalGroups: [3, 9, 4] } },
    { groups: [9, 3, 4] },
  ],
  [
    'row 158: runAsNonRoot with a numeric image user passes, and that user and group stay',
    { pod: { runAsNonRoot: true }, imageUser: '1000:1000' },
    { user: '' },
  ],
  [
    'row 158: runAsNonRoot with a user of its own does not ask the image',
    { pod: { runAsNonRoot: true, runAsUser: 5 }, imageUser: '0' },
    { user: '5' },
  ],
  [
    'row 159: privileged, capabilities, read-only root',
    {
      own: {
        privileged: true,
        readOnlyRootFilesystem: true,
        capabilities: { add: ['CAP_NET_ADMIN', 'sys_time'], drop: ['ALL'] },
      },
    },
    {
      privileged: true,
      readOnlyRootFilesystem: true,
      capAdd: ['NET_ADMIN', 'SYS_TIME'],
      capDrop: ['ALL'],
    },
  ],
  [
    'row 159: allowPrivilegeEscalation false means no new privileges',
    { own: { allowPrivilegeEscalation: false } },
    { noNewPrivileges: true },
  ],
  [
    'row 159: allowPrivilegeEscalation true does not',
    { own: { allowPrivilegeEscalation: true } },
    { noNewPrivileges: false },
  ],
  ['row 160: without a profile the engine’s stays on', {}, { seccomp: 'runtime' }],
  [
    'row 160: Unconfined of the pod',
    { pod: { seccompProfile: { type: 'Unconfined' } } },
    { seccomp: 'unconfined' },
  ],
  [
    'row 160: RuntimeDefault of the container over the pod’s',
    { pod: { seccompProfile: LOCALHOST }, own: { seccompProfile: { type: 'RuntimeDefault' } } },
    { seccomp: 'runtime' },
  ],
  [
    'row 160: Localhost is the text of the file',
    { own: { seccompProfile: LOCALHOST }, seccompProfile: '{"defaultAction":"SCMP_ACT_ALLOW"}' },
    { seccomp: { profile: '{"defaultAction":"SCMP_ACT_ALLOW"}' } },
  ],
  [
    'row 161: an AppArmor profile by name',
    { pod: { appArmorProfile: { type: 'Localhost', localhostProfile: 'web' } } },
    { appArmor: 'web' },
  ],
  [
    'row 161: AppArmor off',
    { own: { appArmorProfile: { type: 'Unconfined' } } },
    { appArmor: 'unconfined' },
  ],
  [
    'row 161: AppArmor as the engine has it',
    { own: { appArmorProfile: { type: 'RuntimeDefault' } } },
    { appArmor: null },
  ],
  [
    'row 161: the annotation of older manifests stands over the pod’s field',
    {
      pod: { appArmorProfile: { type: 'Unconfined' } },
      annotations: { [ANNOTATION]: 'localhost/old' },
    },
    { appArmor: 'old' },
  ],
  [
    'row 161: SELinux options in the engine’s words',
    { pod: { seLinuxOptions: { user: 'u', role: 'r', type: 't', level: 's0:c1,c2' } } },
    { seLinux: ['user:u', 'role:r', 'type:t', 'level:s0:c1,c2'] },
  ],
];

describe('containerSecurity', () => {
  for (const [says, given, wanted] of rows) {
    test(says, () => {
      const made = securityOf(given);
      for (const [name, value] of Object.entries(wanted)) {
        assert.deepEqual(made[name as keyof typeof made], value, name);
      }
    });
  }

  const refusals: readonly [string, Given, RegExp][] = [
    [
      'the manifest’s own uid 0',
      { pod: { runAsNonRoot: true }, own: { runAsUser: 0 } },
      /^container's runAsUser breaks non-root policy: .*runAsUser is 0 \(pod: "web-edge1_default\(u-1\)", container: app\)$/,
    ],
    [
      'an image without a user',
      { own: { runAsNonRoot: true } },
      /^container has runAsNonRoot and image will run as root \(image: "shop\/web:1"\)/,
    ],
    [
      'an image whose user is 0 with a group',
      { own: { runAsNonRoot: true }, imageUser: '0:1000' },
      /^container has runAsNonRoot and image will run as root/,
    ],
    [
      'an image user that is a name',
      { own: { runAsNonRoot: true }, imageUser: 'www' },
      /^container has runAsNonRoot and image has non-numeric user \(www\), cannot verify user is non-root/,
    ],
    [
      'a group beside an image of root',
      { own: { runAsNonRoot: true, runAsGroup: 7 } },
      /image will run as root/,
    ],
  ];
  for (const [says, given, message] of refusals) {
    test(`row 158: runAsNonRoot refuses ${says}`, () => {
      assert.throws(
        () => securityOf(given),
        (error: unknown) => error instanceof ContainerConfigError && message.test(error.message),
      );
    });
  }

  const looks: readonly [string, Given, boolean][] = [
    ['no context', {}, false],
    ['a user', { own: { runAsUser: 1, runAsNonRoot: true } }, false],
    ['runAsNonRoot alone', { pod: { runAsNonRoot: true } }, true],
    ['a group alone', { own: { runAsGroup: 1 } }, true],
  ];
  for (const [says, given, wanted] of looks) {
    test(`the image is ${wanted ? '' : 'not '}looked at for ${says}`, () => {
      const { made, container } = podOf(given);
      assert.equal(needsImageUser(made, container), wanted);
    });
  }

  test('row 160: only Localhost names a file', () => {
    const file = (own: SecurityContext) => {
      const { made, container } = podOf({ own });
      return seccompFile(made, container);
    };
    assert.equal(file({ seccompProfile: LOCALHOST }), 'strict.json');
    assert.equal(file({ seccompProfile: { type: 'RuntimeDefault' } }), null);
    assert.equal(file({}), null);
  });
});
