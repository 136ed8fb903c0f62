/** The policy of a node: reading it, and what it lets through (issue of trust: bundles less than local files). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imageMatches, parseImagePattern } from '../../../agent/admission/images.js';
import {
  describePolicy,
  policyRejection,
  type PolicySource,
} from '../../../agent/admission/policy.js';
import { checkNodeLabels, parseAdmissionPolicy } from '../../../agent/admission/policy-config.js';
import { ConfigError } from '../../../agent/config-error.js';
import { NO_BINDINGS, type ImageBindings } from '../../../protocol/image-binding.js';
import type { Pod, PodSpec } from '../../../protocol/pod.js';

const WHERE = 'agent.yaml: admission';

const podOf = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'app', image: 'busybox:1' }], ...spec },
});

const mounting = (
  path: string,
  { readOnly = false, type = '' }: { readOnly?: boolean; type?: string } = {},
): Pod =>
  podOf({
    volumes: [{ name: 'data', hostPath: { path, type } }],
    containers: [{ name: 'app', volumeMounts: [{ name: 'data', mountPath: '/data', readOnly }] }],
  });

const withImage = (image: string): Pod => podOf({ containers: [{ name: 'app', image }] });
const withPort = (hostPort: number): Pod =>
  podOf({ containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort }] }] });

function refusal(
  section: unknown,
  source: PolicySource,
  pod: Pod,
  bindings: ImageBindings = NO_BINDINGS,
): string | null {
  const policy = parseAdmissionPolicy(section, WHERE);
  const found = policyRejection(pod, source, { policy, bindings });
  return found && `${found.phase} ${found.reason}: ${found.message}`;
}

describe('row 163: without configuration', () => {
  const privileged = podOf({ hostNetwork: true });

  test('local files and those of a URL may do anything, as on a kubelet', () => {
    assert.equal(refusal(undefined, 'file', privileged), null);
    assert.equal(refusal(undefined, 'http', privileged), null);
  });

  test('bundles are held to baseline, with rule and field', () => {
    assert.equal(
      refusal(undefined, 'bundle', privileged),
      'Failed PodSecurity: violates PodSecurity "baseline:latest": host namespaces (hostNetwork) ' +
        '[rule hostNamespaces, field spec.hostNetwork]',
    );
  });

  test('bundles may take host ports from 1024 up', () => {
    assert.equal(refusal(undefined, 'bundle', withPort(1024)), null);
    assert.match(refusal(undefined, 'bundle', withPort(1023)) ?? '', /rule hostPorts/);
  });
});

describe('lists of host paths', () => {
  const section = {
    bundle: { hostPaths: [{ prefix: '/dev/', readOnly: false }, { prefix: '/etc/ssl' }] },
  };
  const rows: [string, Pod, string | null][] = [
    ['what is listed for writing', mounting('/dev/ttyUSB0'), null],
    ['the prefix itself', mounting('/dev'), null],
    [
      'a name that only begins like it',
      mounting('/development'),
      'Failed HostPathNotAllowed: spec.volumes[0].hostPath.path: /development is not in ' +
        'admission.bundle.hostPaths (allowed: /dev, /etc/ssl (read-only))',
    ],
    [
      'what is listed for reading, mounted so',
      mounting('/etc/ssl//certs/', { readOnly: true }),
      null,
    ],
    [
      'what is listed for reading, mounted to write',
      mounting('/etc/ssl'),
      'Failed HostPathNotAllowed: spec.containers[0].volumeMounts[0].readOnly: must be true: ' +
        'admission.bundle.hostPaths allows /etc/ssl for reading only',
    ],
    [
      'what would be created where only reading is allowed',
      mounting('/etc/ssl/new', { readOnly: true, type: 'DirectoryOrCreate' }),
      'Failed HostPathNotAllowed: spec.volumes[0].hostPath.type: DirectoryOrCreate could create ' +
        'it, and admission.bundle.hostPaths allows /etc/ssl for reading only',
    ],
  ];
  for (const [what, pod, expected] of rows) {
    test(`${what} is ${expected === null ? 'allowed' : 'refused'}`, () => {
      assert.equal(refusal(section, 'bundle', pod), expected);
    });
  }

  test('hold at level privileged too', () => {
    const found = refusal({ file: { hostPaths: [] } }, 'file', mounting('/dev'));
    assert.match(found ?? '', /HostPathNotAllowed: .*none is allowed/);
  });

  test('without a list the level decides', () => {
    assert.equal(refusal({}, 'file', mounting('/')), null);
    assert.match(refusal({}, 'bundle', mounting('/')) ?? '', /rule hostPathVolumes/);
  });
});

describe('lists of images', () => {
  const section = { bundle: { images: ['registry.example/*', 'busybox:1.*'] } };

  test('one that matches is allowed', () => {
    assert.equal(refusal(section, 'bundle', withImage('registry.example/team/web:2')), null);
    assert.equal(refusal(section, 'bundle', withImage('docker.io/library/busybox:1.36')), null);
  });

  test('another is refused with its field', () => {
    assert.equal(
      refusal(section, 'bundle', withImage('evil.example/web')),
      'Failed ImageNotAllowed: spec.containers[0].image: evil.example/web is not in ' +
        'admission.bundle.images (allowed: registry.example/*, busybox:1.*)',
    );
  });

  test('init containers are not forgotten', () => {
    const pod = podOf({
      initContainers: [{ name: 'init', image: 'evil.example/web' }],
      containers: [{ name: 'app', image: 'registry.example/web' }],
    });
    assert.match(refusal(section, 'bundle', pod) ?? '', /spec\.initContainers\[0\]\.image/);
  });

  test('digests are demanded where the owner says so', () => {
    const demanding = { file: { requireDigests: true } };
    const digest = `busybox@sha256:${'0'.repeat(64)}`;
    assert.equal(refusal(demanding, 'file', withImage(digest)), null);
    assert.match(
      refusal(demanding, 'file', withImage('busybox:1')) ?? '',
      /DigestRequired: spec\.containers\[0\]\.image: busybox:1 has no digest/,
    );
  });

  test('what a bundle binds to digests has one, a local tag has none', () => {
    const demanding = { file: { requireDigests: true }, bundle: { requireDigests: true } };
    const bound = new Map([['busybox:1', [`sha256:${'0'.repeat(64)}`]]]);
    assert.equal(refusal(demanding, 'bundle', withImage('busybox:1'), bound), null);
    assert.match(refusal(demanding, 'bundle', withImage('busybox:2'), bound) ?? '', /--pin/);
    assert.match(refusal(demanding, 'file', withImage('busybox:1')) ?? '', /DigestRequired/);
  });

  const patterns: [string, string, boolean][] = [
    ['*', 'anything.example/a/b:c', true],
    ['busybox', 'busybox:1.36', true],
    ['busybox', 'docker.io/library/busybox', true],
    ['busybox', 'index.docker.io/library/busybox', true],
    ['busybox', 'team/busybox', false],
    ['docker.io/*', 'team/web', true],
    ['docker.io/*', 'quay.io/team/web', false],
    ['docker.io/*', 'Registry/web', false],
    ['Registry/*', 'Registry/web', true],
    ['docker.io/busybox', 'busybox', true],
    ['team/*', 'docker.io/team/web', true],
    ['team/*', 'teams/web', false],
    ['registry.example/*', 'registry.example.evil/web', false],
    ['registry.example/*', 'registry-example/web', false],
    ['registry.example/*/web', 'registry.example/a/web', true],
    ['registry.example/*/web', 'registry.example/a/b/web', false],
    ['*.example/web', 'a.example/web:1', true],
    ['localhost:5000/*', 'localhost:5000/web:1', true],
    ['localhost:5000/*', 'localhost/web:1', false],
    ['busybox:latest', 'busybox', true],
    ['busybox:latest', 'busybox:1', false],
    ['busybox:1', `busybox@sha256:${'0'.repeat(64)}`, false],
    [`busybox@sha256:${'0'.repeat(64)}`, `busybox:9@sha256:${'0'.repeat(64)}`, true],
    [`busybox@sha256:${'0'.repeat(64)}`, `busybox@sha256:${'1'.repeat(64)}`, false],
  ];
  for (const [text, image, expected] of patterns) {
    test(`${text} ${expected ? 'matches' : 'does not match'} ${image}`, () => {
      const pattern = parseImagePattern(text);
      assert.ok(pattern);
      assert.equal(imageMatches(image, pattern), expected);
    });
  }
});

test('a pattern longer than any image is none', () => {
  assert.ok(parseImagePattern('a/'.repeat(500) + 'b'));
  assert.equal(parseImagePattern('a/'.repeat(20_000) + 'b'), null);
});

describe('a mistake in the configuration names file and key', () => {
  const rows: [unknown, string][] = [
    ['baseline', 'agent.yaml: admission: must be a mapping of bundle, file, http'],
    [{ hub: {} }, 'agent.yaml: admission.hub: unknown; known: bundle, file, http'],
    [{ file: [] }, 'agent.yaml: admission.file: must be a mapping of podSecurity, minHostPort, '],
    [{ file: { podSecurty: 'x' } }, 'agent.yaml: admission.file.podSecurty: unknown; known: '],
    [
      { bundle: { podSecurity: 'strict' } },
      'agent.yaml: admission.bundle.podSecurity: must be one of privileged, baseline, restricted',
    ],
    [{ bundle: { minHostPort: 0 } }, 'agent.yaml: admission.bundle.minHostPort: must be a port'],
    [{ file: { minHostPort: 80 } }, 'agent.yaml: admission.file.minHostPort: has no effect'],
    [{ http: { hostPaths: '/dev' } }, 'agent.yaml: admission.http.hostPaths: must be a list'],
    [
      { http: { hostPaths: [{ prefix: 'dev' }] } },
      'agent.yaml: admission.http.hostPaths[0].prefix: must be an absolute path',
    ],
    [
      { http: { hostPaths: [{ prefix: '/dev/../etc' }] } },
      'agent.yaml: admission.http.hostPaths[0].prefix: must not contain',
    ],
    [
      { http: { hostPaths: [{ prefix: '/dev', readonly: true }] } },
      'agent.yaml: admission.http.hostPaths[0].readonly: unknown',
    ],
    [
      { http: { hostPaths: [{ prefix: '/dev', readOnly: 'no' }] } },
      'agent.yaml: admission.http.hostPaths[0].readOnly: must be true or false',
    ],
    [{ http: { images: ['a//b'] } }, 'agent.yaml: admission.http.images[0]: must be the pattern'],
    [{ http: { images: [1] } }, 'agent.yaml: admission.http.images[0]: must be the pattern'],
    [{ http: { requireDigests: 'yes' } }, 'agent.yaml: admission.http.requireDigests: must be'],
  ];
  for (const [section, says] of rows) {
    test(says, () => {
      assert.throws(
        () => parseAdmissionPolicy(section, WHERE),
        (error: Error) => error instanceof ConfigError && error.message.startsWith(says),
      );
    });
  }
});

test('the summary says what holds, defaults filled in', () => {
  const section = {
    bundle: { podSecurity: 'privileged', images: ['registry.example/*'] },
    http: { podSecurity: 'restricted', minHostPort: null, hostPaths: [{ prefix: '/dev/' }] },
  };
  const rest = { requireDigests: false };
  assert.deepEqual(describePolicy(parseAdmissionPolicy(section, WHERE)), {
    bundle: { ...rest, podSecurity: 'privileged', images: ['registry.example/*'] },
    file: { ...rest, podSecurity: 'privileged' },
    http: {
      ...rest,
      podSecurity: 'restricted',
      minHostPort: null,
      hostPaths: [{ prefix: '/dev', readOnly: true }],
    },
  });
});

describe('row 178: the labels of the node’s owner', () => {
  test('are taken as they are', () => {
    const labels = { site: 'berlin', 'example.com/rack': '' };
    assert.deepEqual(checkNodeLabels(labels, '--node-labels'), labels);
  });

  const rows: [Record<string, string>, string][] = [
    [{ 'a b': 'x' }, '--node-labels: "a b=x" is not a label such as site=berlin'],
    [{ a: 'x y' }, '--node-labels: "a=x y" is not a label such as site=berlin'],
    [{ 'kubernetes.io/os': 'linux' }, '--node-labels: kubernetes.io/os is set by the node itself'],
  ];
  for (const [labels, message] of rows) {
    test(message, () => {
      assert.throws(() => checkNodeLabels(labels, '--node-labels'), { message });
    });
  }
});
