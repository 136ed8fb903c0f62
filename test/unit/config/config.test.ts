/** The agent's settings: where they come from, which wins, what a mistake says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../../agent/config-error.js';
import { resolveConfig, type AgentConfig } from '../../../agent/config.js';
import type { ConfigInput } from '../../../agent/setting-lookup.js';
import { envName, FILE_ONLY, flagName, SETTINGS } from '../../../agent/settings.js';
import { stringify } from 'yaml';
import { describePolicy } from '../../../agent/admission/policy.js';
import { shownConfig, shownEnvironment } from '../../../agent/shown-config.js';

function input(change: Partial<ConfigInput> & { readonly text?: string } = {}): ConfigInput {
  const { text, ...rest } = change;
  return {
    flags: { dataDir: '/var/lib/flotilla' },
    env: {},
    file: text === undefined ? null : { name: 'agent.yaml', text },
    hostname: 'Edge-7.example',
    joinedAs: null,
    ...rest,
  };
}

const read = (text: string): AgentConfig => resolveConfig(input({ text })).config;

describe('defaults', () => {
  const { config, warnings } = resolveConfig(input());

  test('row 2, 32, 177, 204: the kubelet’s numbers', () => {
    assert.equal(config.fileCheckFrequencyMs, 20_000);
    assert.equal(config.maxPods, 110);
    assert.equal(config.restartBackOffMaxMs, 300_000);
    assert.equal(config.url, null);
    assert.equal(config.images.garbage, null);
    assert.equal(config.shutdown, null);
    assert.deepEqual(warnings, []);
  });

  test('the manifests lie in the data directory, the name is the host’s first label', () => {
    assert.equal(config.staticPodPath, '/var/lib/flotilla/manifests');
    assert.equal(config.socketPath, '/var/lib/flotilla/agent.sock');
    assert.equal(config.nodeName, 'edge-7');
  });
});

describe('which place wins', () => {
  const text = 'nodeName: from-file\nfileCheckFrequency: 5s';
  const flags = { dataDir: '/d', nodeName: 'from-flag' };
  const env = { FLOTILLA_NODE_NAME: 'from-env' };
  const rows: [string, Partial<ConfigInput> & { text: string }, string][] = [
    ['a flag over the environment', { flags, env, text }, 'from-flag'],
    ['the environment over the file', { env, text }, 'from-env'],
    ['the file over the host’s name', { text }, 'from-file'],
    ['an empty variable counts as absent', { env: { FLOTILLA_NODE_NAME: '' }, text }, 'from-file'],
  ];
  for (const [sentence, change, wanted] of rows) {
    test(sentence, () => assert.equal(resolveConfig(input(change)).config.nodeName, wanted));
  }

  test('the deprecated --pod-manifest-path works and says so; --manifest-url is staticPodURL', () => {
    const { config, warnings } = resolveConfig(
      input({ flags: { dataDir: '/d', podManifestPath: '/m/', manifestUrl: 'http://h/p' } }),
    );
    assert.equal(config.staticPodPath, '/m');
    assert.equal(config.url?.url, 'http://h/p');
    assert.match(warnings.join(), /deprecated/);
  });

  test('names in upper snake and kebab case, each its own', () => {
    assert.equal(envName('staticPodURL'), 'FLOTILLA_STATIC_POD_URL');
    assert.equal(flagName('imageGCHighThresholdPercent'), '--image-gc-high-threshold-percent');
    const names = Object.keys(SETTINGS).map(envName);
    assert.equal(new Set(names).size, names.length);
  });

  test('what may carry a secret is never taken from flags or environment', () => {
    const env = { FLOTILLA_STATIC_POD_URL_HEADER: 'a=b', FLOTILLA_STATIC_POD_URL: 'http://h/' };
    assert.ok(FILE_ONLY.has('staticPodURLHeader'));
    assert.deepEqual(resolveConfig(input({ env })).config.url?.headers, {});
  });
});

describe('the file', () => {
  test('a KubeletConfiguration is taken unchanged', () => {
    const { config, warnings } = resolveConfig(
      input({
        text: [
          'apiVersion: kubelet.config.k8s.io/v1beta1',
          'kind: KubeletConfiguration',
          'staticPodPath: /etc/kubernetes/manifests',
          'staticPodURL: http://10.0.0.1/pods',
          'staticPodURLHeader: {X-Token: [a, b]}',
          'httpCheckFrequency: 30s',
          'crashLoopBackOff: {maxContainerRestartPeriod: 30s}',
          'cgroupDriver: systemd',
          'maxPods: 20',
        ].join('\n'),
      }),
    );
    const empty = 'kind: KubeletConfiguration\ncrashLoopBackOff: {}';
    assert.equal(read(empty).restartBackOffMaxMs, 300_000);
    assert.equal(config.staticPodPath, '/etc/kubernetes/manifests');
    assert.deepEqual(config.url, {
      url: 'http://10.0.0.1/pods',
      headers: { 'X-Token': ['a', 'b'] },
      checkFrequencyMs: 30_000,
      proxies: { http: null, https: null, except: '' },
    });
    assert.equal(config.restartBackOffMaxMs, 30_000);
    assert.equal(config.maxPods, 20);
    assert.deepEqual(warnings, ['agent.yaml: without meaning here and passed over: cgroupDriver']);
  });

  test('serial pulls are one at a time; else the number given', () => {
    assert.equal(read('serializeImagePulls: true').images.maxParallelPulls, 1);
    assert.equal(read('maxParallelImagePulls: 8').images.maxParallelPulls, 8);
  });

  test('what the hub may be given is a list, none of it, or left to the root', () => {
    assert.equal(read('{}').remoteAccess, null);
    assert.deepEqual(read('remoteAccess: [exec, logs]').remoteAccess, ['logs', 'exec']);
    assert.deepEqual(read('remoteAccess: []').remoteAccess, []);
    const byFlag = (remoteAccess: string) =>
      resolveConfig({ ...input({}), flags: { dataDir: '/d', remoteAccess } }).config.remoteAccess;
    assert.deepEqual(byFlag('none'), []);
    assert.deepEqual(byFlag('logs,portForward'), ['logs', 'portForward']);
  });

  test('images are collected when that is asked for, by name or by a threshold', () => {
    assert.deepEqual(read('imageGarbageCollection: true').images.garbage, {
      highPercent: 85,
      lowPercent: 80,
      minimumAgeMs: 120_000,
      maximumAgeMs: 0,
    });
    assert.equal(read('imageGCHighThresholdPercent: 70').images.garbage?.lowPercent, 69);
    assert.equal(read('imageGCHighThresholdPercent: 100').images.garbage, null);
  });
});

describe('a mistake says what, where, and what to do', () => {
  const tenOf = (n: number) =>
    `a${n}: &a${n} [${Array(10)
      .fill(`*a${n - 1}`)
      .join(', ')}]`;
  const bomb = ['a0: &a0 [x]', ...[1, 2, 3, 4, 5, 6].map(tenOf)].join('\n');
  const rows: [string, Partial<ConfigInput> & { text?: string }, RegExp][] = [
    ['no data directory', { flags: {} }, /pass --data-dir DIR/],
    [
      'an unknown setting',
      { text: 'nodename: x' },
      /agent\.yaml:\d+: unknown setting "nodename" \(did you mean "nodeName"\?\)/,
    ],
    [
      'a setting of ours in the kubelet’s file',
      { text: 'kind: KubeletConfiguration\nadmission: {}' },
      /unknown setting "admission"/,
    ],
    ['an alias without its anchor', { text: 'nodeName: *a' }, /^agent\.yaml: Unresolved alias/],
    ['aliases of aliases of aliases', { text: bomb }, /^agent\.yaml: Excessive alias count/],
    [
      'another kind',
      { text: 'kind: Pod' },
      /kind must be AgentConfiguration or KubeletConfiguration/,
    ],
    [
      'a window without a zone',
      { text: 'maintenanceWindows: [{schedule: "0 2 * * *", duration: 1h}]' },
      /^agent\.yaml:\d+: maintenanceWindows\[0\]\.timeZone: is missing, such as Europe\/Berlin or UTC/,
    ],
    [
      'a budget of a few bytes',
      { text: 'linkBudget: 20' },
      /^agent\.yaml:1: linkBudget: "20" is less than 64Ki a month: did you mean 20Mi\?$/,
    ],
    [
      'a budget that is none',
      { text: 'writeBudget: 2Mi/month' },
      /^agent\.yaml:1: writeBudget: "2Mi\/month" is not bytes per day, such as 2Mi or 2Mi\/day$/,
    ],
    [
      'a window with a zone that is none',
      { text: 'maintenanceWindows: [{schedule: "0 2 * * *", duration: 1h, timeZone: 1}]' },
      /^agent\.yaml:\d+: maintenanceWindows\[0\]\.timeZone: must be a string/,
    ],
    [
      'a window that never opens',
      { text: 'maintenanceWindows: [{schedule: "0 2 31 2 *", duration: 1h, timeZone: UTC}]' },
      /^agent\.yaml:\d+: maintenanceWindows\[0\]\.schedule: "0 2 31 2 \*" has no valid day of month/,
    ],
    [
      'a policy that does not exist',
      { text: 'admission: {bundle: {podSecurity: strict}}' },
      /^agent\.yaml:\d+: admission\.bundle\.podSecurity: must be one of privileged, baseline/,
    ],
    [
      'a label that no node can have',
      { flags: { dataDir: '/d', nodeLabels: 'site=a b' } },
      /^--node-labels: "site=a b" is not a label such as site=berlin/,
    ],
    ['YAML that does not parse', { text: 'a: [' }, /^agent\.yaml:1:5: Flow sequence/],
    [
      'a setting whose name has no end',
      { text: `${'x'.repeat(900)}: 1` },
      /^agent\.yaml:\d+: unknown setting "x{255}…"; known: /,
    ],
    [
      'an access that does not exist',
      { flags: { dataDir: '/d', remoteAccess: 'logs,shell' } },
      /^--remote-access: "logs,shell" is not a list of logs, exec, attach, portForward, or none/,
    ],
    ['a list', { text: '- a' }, /expected a mapping of settings/],
    [
      'a number for a text',
      { text: 'nodeName: 5' },
      /agent\.yaml:1: nodeName: "5" is not a string/,
    ],
    [
      'a mistake below others, by its line',
      { text: 'nodeName: a\n# a comment\n\nmaxPods: many\n' },
      /^agent\.yaml:4: maxPods: "many" is not /,
    ],
    [
      'the nested setting of a kubelet, by its line',
      {
        text: 'kind: KubeletConfiguration\ncrashLoopBackOff:\n  maxContainerRestartPeriod: 400s\n',
      },
      /^agent\.yaml:2: maxContainerRestartPeriod: at most 300s/,
    ],
    [
      'a duration without a unit',
      { flags: { dataDir: '/d', fileCheckFrequency: '20' } },
      /--file-check-frequency: "20" is not a duration of 100ms or more, such as 20s/,
    ],
    [
      'an address that others reach',
      { text: 'apiListen: 0.0.0.0:80' },
      /apiListen: "0\.0\.0\.0:80" is not a loopback address with a port/,
    ],
    [
      'headers without a URL',
      { text: 'staticPodURLHeader: {A: [b]}' },
      /staticPodURLHeader: only with staticPodURL/,
    ],
    [
      'headers of the wrong shape',
      { text: 'staticPodURL: http://h/\nstaticPodURLHeader: {A: b}' },
      /staticPodURLHeader: expected a mapping of header names to lists/,
    ],
    [
      'a restart period above the kubelet’s',
      { text: 'maxContainerRestartPeriod: 10m' },
      /at most 300s/,
    ],
    [
      'a low mark that is not below the high one',
      { text: 'imageGCHighThresholdPercent: 50\nimageGCLowThresholdPercent: 60' },
      /imageGCLowThresholdPercent \(60\) must be below/,
    ],
    [
      'critical pods with more time than all',
      { text: 'shutdownGracePeriodCriticalPods: 10s' },
      /must not be longer than shutdownGracePeriod/,
    ],
    [
      'a kubelet’s pods beside an engine',
      { text: 'kubeletPods: http://127.0.0.1:10255/pods' },
      /only with runtime: none/,
    ],
    [
      'an engine that is not on this node',
      { env: { DOCKER_HOST: 'tcp://h:2375' } },
      /DOCKER_HOST: "tcp:\/\/h:2375" is not a unix socket/,
    ],
    [
      'a node name with a dot',
      { flags: { dataDir: '/d', nodeName: 'a.b' } },
      /--node-name: "a\.b" is not a node name/,
    ],
    [
      'another name than it joined under',
      { joinedAs: 'n1', flags: { dataDir: '/d', nodeName: 'n2' } },
      /joined as "n1", not "n2"/,
    ],
  ];
  for (const [sentence, change, wanted] of rows) {
    test(sentence, () => {
      assert.throws(
        () => resolveConfig(input(change)),
        error => error instanceof ConfigError && wanted.test(error.message),
      );
    });
  }
});

test('row 33: headers and passwords are never shown', () => {
  const config = read('staticPodURL: http://me:pw@h/p\nstaticPodURLHeader: {X-Token: [s3cret]}');
  const shown = JSON.stringify(shownConfig(config));
  assert.doesNotMatch(shown, /s3cret|pw@/);
  assert.match(shown, /X-Token/);
});

test('row 33: neither is the password of a proxy, its address is', () => {
  const resolved = resolveConfig({
    ...input({ text: 'staticPodURL: http://h/p' }),
    env: { HTTP_PROXY: 'http://me:pw@proxy:3128', https_proxy: 'me:pw@tls', NO_PROXY: '.example' },
  });
  assert.deepEqual(shownEnvironment(resolved.config), {
    HTTP_PROXY: 'http://<hidden>@proxy:3128',
    HTTPS_PROXY: '<hidden>@tls',
    NO_PROXY: '.example',
  });
  assert.doesNotMatch(JSON.stringify(shownConfig(resolved.config)), /pw/);
});

describe('row 221: what is shown is a configuration file that says the same', () => {
  const texts: Readonly<Record<string, string>> = {
    'without settings': '{}',
    'with every setting': `
nodeLabels: {site: berlin}
remoteAccess: [logs, exec]
runtime: none
kubeletPods: http://127.0.0.1:10255/pods
apiListen: "[::1]:10255"
staticPodPath: /m
fileCheckFrequency: 1500ms
staticPodURL: https://h:8/p
httpCheckFrequency: 1h1m
allowedUnsafeSysctls: [net.core.somaxconn]
maxPods: 5
podPidsLimit: 100
singleProcessOOMKill: true
clusterDNS: [10.0.0.10]
clusterDomain: x.y
resolvConf: /r
podLogsDir: /logs
maxContainerRestartPeriod: 90s
serializeImagePulls: true
registryCredentials: /c
imageGarbageCollection: true
imageGCHighThresholdPercent: 70
imageGCLowThresholdPercent: 60
imageMinimumGCAge: 1m
imageMaximumGCAge: 24h
shutdownGracePeriod: 30s
shutdownGracePeriodCriticalPods: 10s
maintenanceWindows: [{schedule: "0 22 * * fri", duration: 8h, timeZone: America/New_York}]
admission: {bundle: {hostPaths: [{prefix: /dev, readOnly: false}], images: [r.example/*], minHostPort: null}, http: {podSecurity: restricted}}
`,
  };
  for (const [sentence, text] of Object.entries(texts)) {
    test(sentence, () => {
      const config = read(text);
      const shown = { ...shownConfig(config), admission: describePolicy(config.admission) };
      assert.deepEqual(read(stringify(shown)), config);
    });
  }
});
