/** Names and files that a pod's containers find: host name, hosts file, resolv.conf. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostNetworkHostsFile, hostsFile } from '../../../agent/pods/hosts-file.js';
import { HostnameError, kernelHostname, podNames } from '../../../agent/pods/pod-hostname.js';
import { parseResolvConf, podResolvConf } from '../../../agent/pods/resolv-conf.js';
import type { PodSpec, ValidPod } from '../../../protocol/pod.js';
import { manifest, NODE, wish } from '../../support/pods.js';

const DOMAIN = 'cluster.local';

function podWith(spec: Partial<PodSpec>, name = 'web'): ValidPod {
  return wish(manifest(name, { uid: 'u-1', spec })).pod;
}

const overridden = { hostnameOverride: 'shop.example.com' } as Partial<PodSpec>;
const hostnames: readonly [string, Partial<PodSpec>, string, string, string][] = [
  ['row 169: the pod’s name with the node’s', {}, `web-${NODE}`, '', `web-${NODE}`],
  ['row 169: as given', { hostname: 'me' }, 'me', '', 'me'],
  [
    'row 170: setHostnameAsFQDN alone has no effect',
    { setHostnameAsFQDN: true, hostname: 'me' },
    'me',
    '',
    'me',
  ],
  [
    'row 170: a subdomain leaves the kernel’s name short',
    { hostname: 'me', subdomain: 'sub' },
    'me',
    `sub.default.svc.${DOMAIN}`,
    'me',
  ],
  [
    'row 170: a subdomain without a host name',
    { subdomain: 'sub' },
    `web-${NODE}`,
    `sub.default.svc.${DOMAIN}`,
    `web-${NODE}`,
  ],
  [
    'row 170: both make the full name the kernel’s',
    { hostname: 'me', subdomain: 'sub', setHostnameAsFQDN: true },
    'me',
    `sub.default.svc.${DOMAIN}`,
    `me.sub.default.svc.${DOMAIN}`,
  ],
  [
    'hostnameOverride stands over all',
    { ...overridden, hostname: 'me', subdomain: 'sub' },
    'shop.example.com',
    '',
    'shop.example.com',
  ],
];

describe('names', () => {
  for (const [says, spec, hostname, domain, kernel] of hostnames) {
    test(says, () => {
      const pod = podWith(spec);
      assert.deepEqual(podNames(pod, DOMAIN), { hostname, domain });
      assert.equal(kernelHostname(pod, DOMAIN), kernel);
    });
  }

  test('row 170, T40: a full name over 64 characters cannot be given to the kernel', () => {
    const spec = { subdomain: 'sub', setHostnameAsFQDN: true };
    const fits = podWith({
      ...spec,
      hostname: 'h'.repeat(64 - `.sub.default.svc.${DOMAIN}`.length),
    });
    assert.equal(kernelHostname(fits, DOMAIN).length, 64);
    const long = podWith({ ...spec, hostname: 'h'.repeat(40) });
    assert.throws(
      () => kernelHostname(long, DOMAIN),
      (error: unknown) =>
        error instanceof HostnameError &&
        /too long \(64 characters is the max, /.test(error.message),
    );
  });
});

const LOOPBACK_LINES =
  '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n' +
  'fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n';
const ALIASES = [{ ip: '10.1.1.1', hostnames: ['a', 'b.example'] }, { ip: '::2' }];
const ALIAS_LINES = '\n# Entries added by HostAliases.\n10.1.1.1\ta\tb.example\n::2\t\n';

describe('the hosts file', () => {
  const names = { hostname: 'web', domain: '' };
  const rows: readonly [string, string, string][] = [
    [
      'row 174: the pod’s address and name',
      hostsFile(['1.2.3.4'], names, []),
      `# Kubernetes-managed hosts file.\n${LOOPBACK_LINES}1.2.3.4\tweb\n`,
    ],
    [
      'row 174: full name, host name, aliases',
      hostsFile(['1.2.3.4'], { hostname: 'web', domain: 'sub.x' }, ALIASES),
      `# Kubernetes-managed hosts file.\n${LOOPBACK_LINES}1.2.3.4\tweb.sub.x\tweb\n${ALIAS_LINES}`,
    ],
    [
      'row 174: a line for each address of the pod',
      hostsFile(['1.2.3.4', 'fd00::4'], names, []),
      `# Kubernetes-managed hosts file.\n${LOOPBACK_LINES}1.2.3.4\tweb\nfd00::4\tweb\n`,
    ],
    [
      'row 175: without an address yet no name',
      hostsFile([], names, []),
      `# Kubernetes-managed hosts file.\n${LOOPBACK_LINES}`,
    ],
    [
      'row 175: the host’s network copies the node’s file and adds aliases',
      hostNetworkHostsFile('127.0.0.1 node', ALIASES),
      `# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n${ALIAS_LINES}`,
    ],
  ];
  for (const [says, made, wanted] of rows) test(says, () => assert.equal(made, wanted));
});

const NODE_FILE = 'nameserver 10.0.0.2\nsearch lan.example\noptions timeout:1 rotate\n';
const NO_CLUSTER = { clusterDNS: [], clusterDomain: DOMAIN };
const CLUSTER = { clusterDNS: ['10.96.0.10'], clusterDomain: DOMAIN };
const OF_CLUSTER = `search default.svc.${DOMAIN} svc.${DOMAIN} ${DOMAIN} lan.example\nnameserver 10.96.0.10\noptions ndots:5\n`;
const OF_NODE = 'search lan.example\nnameserver 10.0.0.2\noptions timeout:1 rotate\n';
const NONE = { nameservers: ['1.1.1.1'], searches: ['x.example'] };

const policies: readonly [string, Partial<PodSpec>, typeof CLUSTER, string, string[]][] = [
  [
    'ClusterFirst without cluster DNS is the node’s',
    {},
    NO_CLUSTER,
    OF_NODE,
    ['MissingClusterDNS'],
  ],
  ['ClusterFirst with cluster DNS', {}, CLUSTER, OF_CLUSTER, []],
  [
    'ClusterFirst with the host’s network is the node’s',
    { hostNetwork: true },
    CLUSTER,
    OF_NODE,
    [],
  ],
  [
    'ClusterFirst with the host’s network without cluster DNS says nothing',
    { hostNetwork: true },
    NO_CLUSTER,
    OF_NODE,
    [],
  ],
  [
    'ClusterFirstWithHostNet',
    { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
    CLUSTER,
    OF_CLUSTER,
    [],
  ],
  ['Default is the node’s', { dnsPolicy: 'Default' }, CLUSTER, OF_NODE, []],
  [
    'None is dnsConfig alone',
    { dnsPolicy: 'None', dnsConfig: NONE },
    CLUSTER,
    'search x.example\nnameserver 1.1.1.1\n',
    [],
  ],
];

describe('resolv.conf', () => {
  for (const [says, spec, dns, content, reasons] of policies) {
    test(`row 171: ${says}`, () => {
      const made = podResolvConf(podWith(spec), NODE_FILE, dns);
      assert.equal(made.content, content);
      assert.deepEqual(
        made.warnings.map(({ reason }) => reason),
        reasons,
      );
    });
  }

  test('row 172: dnsConfig is appended, each once, and overrides options by name', () => {
    const dnsConfig = {
      nameservers: ['10.0.0.2', '10.0.0.3'],
      searches: ['lan.example', 'more.example'],
      options: [{ name: 'timeout', value: '3' }, { name: 'debug' }],
    };
    const made = podResolvConf(podWith({ dnsPolicy: 'Default', dnsConfig }), NODE_FILE, NO_CLUSTER);
    assert.equal(
      made.content,
      'search lan.example more.example\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n' +
        'options timeout:3 rotate debug\n',
    );
  });

  test('row 172: too many name servers are cut, with an event that shows what is left', () => {
    const file = ['1', '2', '3', '4'].map(n => `nameserver 10.0.0.${n}\n`).join('');
    const made = podResolvConf(podWith({ dnsPolicy: 'Default' }), file, NO_CLUSTER);
    assert.equal(made.content, 'nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n');
    const [warning] = made.warnings;
    assert.equal(warning?.reason, 'DNSConfigForming');
    assert.match(warning.message, /Nameserver limits.*: 10\.0\.0\.1 10\.0\.0\.2 10\.0\.0\.3$/);
  });

  const searches: readonly [string, string[], number][] = [
    ['32 searches stay', Array.from({ length: 32 }, (_, i) => `s${i}`), 32],
    ['the 33rd goes', Array.from({ length: 33 }, (_, i) => `s${i}`), 32],
    ['a name over 253 characters goes', ['a', 'b'.repeat(254)], 1],
    [
      'what is beyond 2048 characters goes',
      Array.from({ length: 10 }, (_, i) => `${i}`.repeat(250)),
      8,
    ],
  ];
  for (const [says, given, kept] of searches) {
    test(`row 172: ${says}`, () => {
      const file = `search ${given.join(' ')}\n`;
      const made = podResolvConf(podWith({ dnsPolicy: 'Default' }), file, NO_CLUSTER);
      assert.equal(made.content, `search ${given.slice(0, kept).join(' ')}\n`);
      assert.equal(made.warnings.length, kept === given.length ? 0 : 1);
    });
  }

  test('the node’s loopback is left out for a pod that has other name servers', () => {
    const file = 'nameserver 127.0.0.1\nnameserver 10.0.0.2\n';
    const spec = { dnsPolicy: 'Default' };
    const own = podResolvConf(podWith(spec), file, NO_CLUSTER);
    assert.equal(own.content, 'nameserver 10.0.0.2\n');
    const shared = podResolvConf(podWith({ ...spec, hostNetwork: true }), file, NO_CLUSTER);
    assert.equal(shared.content, file);
  });

  test('a pod that has the loopback alone is warned about', () => {
    const made = podResolvConf(podWith({ dnsPolicy: 'Default' }), 'nameserver ::1\n', NO_CLUSTER);
    assert.equal(made.content, 'nameserver ::1\n');
    assert.match(made.warnings[0]?.message ?? '', /spec\.dnsConfig\.nameservers/);
  });

  test('of several search lines the last counts; comments and unknown words do not', () => {
    const file =
      '# search no\n; x\nsearch a.\n search b. .\nsortlist 1\nnameserver\nnameserver 1.1.1.1 x\n';
    assert.deepEqual(parseResolvConf(file), {
      nameservers: ['1.1.1.1'],
      searches: ['b', '.'],
      options: [],
    });
  });
});
