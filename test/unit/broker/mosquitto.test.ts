/** What Mosquitto is told says the same as what the embedded broker judges by. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hubFilters,
  maySubscribe,
  nodeFilters,
  publishFault,
  type BrokerClient,
} from '../../../hub/broker/access.js';
import {
  hubRole,
  initialDynamicSecurity,
  nodeOfRole,
  nodeRole,
  nodesRole,
  type Role,
} from '../../../hub/broker/dynamic-security-rules.js';
import { mosquittoAccess, mosquittoConfig } from '../../../hub/broker/mosquitto.js';
import { TOPICS, topicsOf, type TopicKind } from '../../../protocol/topics.js';

const topics = topicsOf('ab'.repeat(16));
const NODE: BrokerClient = { kind: 'node', node: 'edge-1' };
const HUB: BrokerClient = { kind: 'hub' };

/** One topic of each kind, those of nodes for edge-1 and another. */
const EVERY = (Object.keys(TOPICS) as TopicKind[]).flatMap(kind => {
  if (kind === 'hub' || kind === 'mark') return [topics[kind]()];
  if (kind === 'root') return [topics.root(), topics.root(3)];
  if (kind === 'blob') return [topics.blob('0'.repeat(64))];
  return ['edge-1', 'edge-2', 'edge-11'].map(node =>
    topics.everyNode(kind).replace('/+', `/${node}`).replace('/+', '/one'),
  );
});
const FOREIGN = ['flotilla/v1/other/hub', `${topics.prefix}else`, '$SYS/broker/version'];

/** MQTT 3.1.1, 4.7. */
function matches(filter: string, topic: string): boolean {
  const levels = topic.split('/');
  const parts = filter.split('/');
  if (parts.at(-1) === '#') {
    const head = parts.slice(0, -1);
    return levels.length >= head.length && head.every((p, i) => p === '+' || p === levels[i]);
  }
  return parts.length === levels.length && parts.every((p, i) => p === '+' || p === levels[i]);
}

const allows = (filters: readonly string[], topic: string) => filters.some(f => matches(f, topic));
const inRoles = (roles: readonly Role[], acltype: string) =>
  roles.flatMap(role => role.acls.filter(acl => acl.acltype === acltype).map(acl => acl.topic));

describe('what Mosquitto is told', () => {
  const plain = { qos: 1, retain: false, payloadBytes: 1 };
  for (const [client, filters, roles] of [
    [NODE, nodeFilters(topics, 'edge-1'), [nodeRole(topics, 'edge-1'), nodesRole(topics)]],
    [HUB, hubFilters(topics), [hubRole(topics)]],
  ] as const) {
    test(`the ${client.kind} may publish exactly what it may at the embedded broker`, () => {
      for (const topic of [...EVERY, ...FOREIGN]) {
        const may = publishFault(client, { ...plain, topic }, topics) === null;
        assert.equal(allows(filters.publish, topic), may, topic);
        assert.equal(allows(inRoles(roles, 'publishClientSend'), topic), may, topic);
      }
    });

    test(`the ${client.kind} may read exactly what it may at the embedded broker`, () => {
      for (const topic of [...EVERY, ...FOREIGN]) {
        const may = maySubscribe(client, topic, topics);
        assert.equal(allows(filters.read, topic), may, topic);
        assert.equal(allows(inRoles(roles, 'publishClientReceive'), topic), may, topic);
        assert.equal(allows(inRoles(roles, 'subscribePattern'), topic), may, topic);
      }
    });
  }

  test('the hub alone may administer it', () => {
    const control = '$CONTROL/dynamic-security/v1';
    assert.ok(allows(inRoles([hubRole(topics)], 'publishClientSend'), control));
    assert.ok(
      !allows(inRoles([nodeRole(topics, 'a'), nodesRole(topics)], 'publishClientSend'), control),
    );
    const { clients, defaultACLAccess } = JSON.parse(
      initialDynamicSecurity(topics, ['edge-1']),
    ) as {
      clients: { username: string; password?: string }[];
      defaultACLAccess: Record<string, boolean>;
    };
    assert.deepEqual(
      clients.map(({ username, password }) => [username, password]),
      [
        ['flotilla-hub', undefined],
        ['edge-1', undefined],
      ],
    );
    assert.equal(defaultACLAccess['publishClientSend'], false);
    assert.equal(defaultACLAccess['subscribe'], false);
    assert.equal(defaultACLAccess['publishClientReceive'], false);
  });

  test('a role names its node', () => {
    assert.equal(nodeOfRole(nodeRole(topics, 'edge-1').rolename), 'edge-1');
    assert.equal(nodeOfRole('flotilla-hub'), null);
    assert.equal(nodeOfRole('admin'), null);
  });

  test('rules in a file are one set for every node, by its user name', () => {
    const text = mosquittoAccess(topics);
    assert.match(text, /^user flotilla-hub$/m);
    assert.match(text, new RegExp(`^pattern write ${topics.prefix}node/%u/pod/\\+$`, 'm'));
    assert.doesNotMatch(text, /^pattern write .*(assignment|hub|blob)/m);
    assert.doesNotMatch(text, /^pattern .*mark/m);
  });

  test('the configuration has either a file of rules or the plugin', () => {
    const settings = {
      fleet: 'ab',
      listen: { host: '127.0.0.1', port: 8884 },
      directory: '/etc/mosquitto/flotilla',
      user: 'mosquitto',
    };
    const withFile = mosquittoConfig({ ...settings, dynamicSecurityPlugin: null });
    assert.match(withFile, /^listener 8884 127\.0\.0\.1$/m);
    assert.match(withFile, /^acl_file \/etc\/mosquitto\/flotilla\/acl$/m);
    assert.doesNotMatch(withFile, /^plugin/m);
    const withPlugin = mosquittoConfig({ ...settings, dynamicSecurityPlugin: '/p.so' });
    assert.match(
      withPlugin,
      /^plugin \/p\.so\nplugin_opt_config_file .*\/dynamic-security\.json$/m,
    );
    assert.doesNotMatch(withPlugin, /^acl_file/m);
  });
});
