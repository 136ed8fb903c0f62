/** Which credentials a pull is tried with: the kubelet's keyring, sentence by sentence. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { podKeyrings } from '../../../agent/images/credentials.js';
import { readCredentialsFile } from '../../../agent/images/credentials-file.js';
import { objectsFor, type ConfigObject } from '../../../agent/pods/config-objects.js';
import {
  authsFor,
  CredentialsError,
  readDockercfg,
  readDockerConfigJson,
} from '../../../protocol/registry-credentials.js';

const entry = (user: string) => ({ username: user, password: `${user}'s` });
const config = (...keys: string[]) =>
  readDockerConfigJson(
    JSON.stringify({ auths: Object.fromEntries(keys.map(key => [key, entry(key)])) }),
    'test',
  );
const usersFor = (image: string, ...keys: string[]) =>
  authsFor(image, [config(...keys)]).map(({ username }) => username);

/** Sentence → image, keys of the document → keys whose credentials are tried, in order. */
const LOOKUPS: Readonly<Record<string, [string, string[], string[]]>> = {
  'a host alone is for all that lies on it': ['reg.io/a/b:1', ['reg.io'], ['reg.io']],
  'another host is not it': ['reg.io/a', ['other.io'], []],
  'a scheme and /v1/ or /v2/ say nothing more': [
    'reg.io/a',
    ['https://reg.io/v2/', 'http://reg.io/v1/'],
    ['https://reg.io/v2/', 'http://reg.io/v1/'],
  ],
  'a port must be the same': ['reg.io:5000/a', ['reg.io', 'reg.io:5000'], ['reg.io:5000']],
  'a path is a beginning, and the longer one comes first': [
    'reg.io/team/web:1',
    ['reg.io', 'reg.io/team', 'reg.io/other', 'reg.io/team/web'],
    ['reg.io/team/web', 'reg.io/team', 'reg.io'],
  ],
  'a path below /v2/ counts': [
    'reg.io/team/web',
    ['https://reg.io/v2/team'],
    ['https://reg.io/v2/team'],
  ],
  'a star stands for one label of the host': [
    'eu.reg.io/a',
    ['*.reg.io', '*.io', 'eu.*.io'],
    ['eu.*.io', '*.reg.io'],
  ],
  'a star does not reach over a dot': ['a.b.reg.io/x', ['*.reg.io'], []],
  'a dot in a key is a dot': ['rega.io/x', ['reg?.io', 'reg..io'], ['reg?.io']],
  'a short name lies on Docker Hub': [
    'busybox',
    ['https://index.docker.io/v1/', 'reg.io'],
    ['https://index.docker.io/v1/'],
  ],
  'so does user/name, with a digest too': [
    `ann/web@sha256:${'0'.repeat(64)}`,
    ['index.docker.io'],
    ['index.docker.io'],
  ],
  'docker.io is taken at its word before index.docker.io': [
    'docker.io/ann/web',
    ['docker.io', 'index.docker.io'],
    ['docker.io'],
  ],
  'docker.io/web lies below library': [
    'docker.io/web',
    ['docker.io/library'],
    ['docker.io/library'],
  ],
  'localhost is a host': ['localhost/web', ['localhost', 'index.docker.io'], ['localhost']],
};

describe('row 128: which credentials an image is pulled with', () => {
  for (const [sentence, [image, keys, expected]] of Object.entries(LOOKUPS)) {
    test(sentence, () => assert.deepEqual(usersFor(image, ...keys), expected));
  }

  test("the pod's come before the node's, the same twice only once", () => {
    const pod = readDockerConfigJson('{"auths":{"reg.io":{"auth":"YTpi"}}}', 'pod');
    const node = readDockerConfigJson(
      '{"auths":{"reg.io/x":{"auth":"YTpi"},"reg.io":{"username":"n","password":"m"}}}',
      'node',
    );
    const auths = authsFor('reg.io/x/y', [pod, node]);
    assert.deepEqual(
      auths.map(({ username, password }) => `${username}:${password}`),
      ['a:b', 'n:m'],
    );
  });

  test('auth is user:password in base64, and a password may hold colons', () => {
    const auth = Buffer.from('u:p:q').toString('base64');
    const [only] = authsFor('reg.io/x', [readDockercfg(`{"reg.io":{"auth":"${auth}"}}`, 'test')]);
    assert.deepEqual([only?.username, only?.password], ['u', 'p:q']);
  });
});

test('row 128: a registry whose password lies in a credential store takes nothing from the others', () => {
  const text = '{"auths":{"store.io":{},"reg.io":{"auth":"YTpi"}},"credsStore":"desktop"}';
  const [only, ...others] = authsFor('reg.io/x', [readDockerConfigJson(text, 'test')]);
  assert.deepEqual([only?.username, others], ['a', []]);
});

describe('a document that is not what it should be says where, and nothing of what stands there', () => {
  const SECRET = 'c2VjcmV0';
  const BAD: Readonly<Record<string, [string, RegExp]>> = {
    'no JSON': [`{"auths": ${SECRET}`, /^the file: not JSON$/],
    'a list': [`["${SECRET}"]`, /^the file: an object is expected$/],
    'an entry that is a text': [
      `{"auths":{"reg.io":"${SECRET}"}}`,
      /"reg.io": an object is expected/,
    ],
    'auth without a colon': [
      `{"auths":{"reg.io":{"auth":"${SECRET}"}}}`,
      /not base64 of user:password/,
    ],
    'an entry of a credential store': [
      '{"auths":{"reg.io":{}}}',
      /credential helpers are not asked/,
    ],
  };
  for (const [sentence, [text, expected]] of Object.entries(BAD)) {
    test(sentence, () => {
      assert.throws(
        () => readDockerConfigJson(text, 'the file'),
        (error: unknown) =>
          error instanceof CredentialsError &&
          expected.test(error.message) &&
          !error.message.includes('secret') &&
          !error.message.includes(SECRET),
      );
    });
  }
});

describe('pull secrets of a pod', () => {
  const secret = (name: string, type: string, data: Record<string, string>): ConfigObject => ({
    kind: 'Secret',
    namespace: 'shop',
    name,
    type,
    data: new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)])),
    isImmutable: false,
    origin: 'secrets.yaml',
    bundle: null,
  });
  const objects = objectsFor(
    [
      secret('new', 'kubernetes.io/dockerconfigjson', {
        '.dockerconfigjson': '{"auths":{"reg.io":{"auth":"YTpi"}}}',
      }),
      secret('old', 'kubernetes.io/dockercfg', { '.dockercfg': '{"reg.io":{"auth":"YzpkZQ=="}}' }),
      secret('opaque', 'Opaque', { '.dockerconfigjson': '{"auths":{}}' }),
      secret('broken', 'kubernetes.io/dockercfg', { '.dockercfg': 'hush' }),
    ],
    null,
  );

  test('both types are read, in the order of the pod', () => {
    const { keyrings, missing, errors } = podKeyrings(['old', 'new'], 'shop', objects);
    const users = authsFor('reg.io/x', keyrings).map(({ username }) => username);
    assert.deepEqual([users, missing, errors], [['c', 'a'], [], []]);
  });

  test('what is not there, of another namespace, type or form is named and does without', () => {
    const names = ['absent', 'opaque', 'broken', 'new'];
    const { keyrings, missing, errors } = podKeyrings(names, 'shop', objects);
    assert.deepEqual(missing, ['absent', 'opaque', 'broken']);
    assert.equal(keyrings.length, 1);
    assert.match(errors[0] ?? '', /^Secret shop\/opaque is of type "Opaque"/);
    assert.match(errors[1] ?? '', /^Secret shop\/broken: not JSON$/);
    assert.deepEqual(podKeyrings(['new'], 'other', objects).missing, ['new']);
  });
});

describe("the node's file of credentials", () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-credentials-'));
  const path = join(folder, 'config.json');
  const write = (text: string, mode: number) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };

  test('is read when only its owner can', async t => {
    t.after(() => rmSync(folder, { recursive: true }));
    await assert.rejects(readCredentialsFile(path), /cannot be read: ENOENT/);
    write('{"auths":{"reg.io":{"auth":"YTpi"}}}', 0o600);
    assert.equal((await readCredentialsFile(path)).length, 1);
    write('{}', 0o640);
    await assert.rejects(readCredentialsFile(path), /has mode 0640.*chmod 600/);
  });
});
