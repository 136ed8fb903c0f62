/**
 * Signs with a key that a running ssh-agent holds (draft-ietf-sshm-ssh-agent): the key may lie in a file with a passphrase, on a
 * smart card or on a token; it never comes here. An Ed25519 signature of the agent is over the very bytes that it is given
 * (RFC 8709), which is what DSSE wants.
 */
import ssh2, { type ParsedKey, type PublicKeyEntry } from 'ssh2';
import { CliError } from '../../protocol/cli-error.js';
import { keyId } from '../../protocol/keys.js';
import { publicKeyOfSshBlob, shownComment, sshFingerprint } from './public-key.js';

export interface AgentKey {
  readonly publicKey: string;
  readonly comment: string;
}

/** The Ed25519 keys of the agent, in its order. Throws `CliError` when there is no agent, or it refuses. */
export async function agentKeys(socket: string | undefined): Promise<AgentKey[]> {
  const keys = await identities(agentAt(socket));
  return keys.map(({ publicKey, comment }) => ({ publicKey, comment }));
}

/** A signature by the key of the agent with this public key; the agent may ask the person (`ssh-add -c`). */
export async function signWithAgent(
  socket: string | undefined,
  publicKey: string,
  message: Uint8Array,
): Promise<Buffer> {
  const agent = agentAt(socket);
  const key = (await identities(agent)).find(found => found.publicKey === publicKey);
  if (!key) throw new CliError('refused', 'the ssh-agent does not hold that key any more');
  return new Promise((done, fail) => {
    agent.sign(key.handle, Buffer.from(message), {}, (error, signature) => {
      if (signature && !error) return done(signature);
      const hint = 'was the question of the agent denied, or is the agent locked (ssh-add -X)?';
      fail(new CliError('failed', 'the ssh-agent did not sign', hint));
    });
  });
}

/**
 * The one key that the selector means: the beginning of a key id, a whole comment, or a fingerprint as `ssh-add -l` prints
 * it; an empty one means the only key there is. Throws `CliError` listing the keys when it means none or several.
 */
export function chooseAgentKey(keys: readonly AgentKey[], selector: string): AgentKey {
  const meant = keys.filter(
    ({ publicKey, comment }) =>
      selector === '' ||
      comment === selector ||
      sshFingerprint(publicKey) === selector ||
      (/^[0-9a-f]{4,64}$/.test(selector) && keyId(publicKey).startsWith(selector)),
  );
  const [only] = meant;
  if (only && meant.length === 1) return only;
  const wanted = selector === '' ? 'no selector' : `"${selector}"`;
  const why =
    keys.length === 0
      ? 'the ssh-agent holds no Ed25519 key'
      : `${wanted} means ${meant.length} of the Ed25519 keys in the ssh-agent`;
  const lines = keys.map(
    key => `  ${keyId(key.publicKey)}  ${sshFingerprint(key.publicKey)}  ${key.comment}`,
  );
  throw new CliError(
    'refused',
    [why, ...lines].join('\n'),
    keys.length === 0
      ? 'add one: ssh-add FILE'
      : 'say --key ssh-agent:<beginning of the key id | comment | SHA256:fingerprint>',
  );
}

type Agent = InstanceType<typeof ssh2.OpenSSHAgent>;

function agentAt(socket: string | undefined): Agent {
  if (socket === undefined || socket === '') {
    const hint = 'start one: eval $(ssh-agent); then: ssh-add FILE';
    throw new CliError('refused', 'no ssh-agent: SSH_AUTH_SOCK is not set', hint);
  }
  return new ssh2.OpenSSHAgent(socket);
}

interface Identity extends AgentKey {
  readonly handle: ParsedKey;
}

function identities(agent: Agent): Promise<Identity[]> {
  return new Promise((done, fail) => {
    agent.getIdentities((error, keys) => {
      if (error) {
        const hint = 'does SSH_AUTH_SOCK name a running agent? try: ssh-add -l';
        fail(new CliError('failed', `the ssh-agent does not answer: ${error.message}`, hint));
        return;
      }
      done((keys ?? []).flatMap(key => identityOf(key) ?? []));
    });
  });
}

function identityOf(handle: ParsedKey | PublicKeyEntry): Identity | null {
  // The other form is what an agent of one's own may return; OpenSSH's keys are parsed.
  if (!('getPublicSSH' in handle) || handle.type !== 'ssh-ed25519') return null;
  const publicKey = publicKeyOfSshBlob(handle.getPublicSSH());
  return publicKey === null ? null : { publicKey, comment: shownComment(handle.comment), handle };
}
