/** What answers the port of the hub is no hub, or says nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { ApiClient, HubUnreachable } from '../../../hub/cli/client.js';

/** A listener that accepts, and then does what is said; `client` is closed with it. */
async function against(
  onSocket: (socket: Socket) => void,
  options: ConstructorParameters<typeof ApiClient>[1],
  use: (client: ApiClient) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => undefined));
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const none = { ca: undefined, cert: undefined, key: undefined, token: undefined };
  const connection = {
    server: new URL(`https://127.0.0.1:${port}`),
    ...none,
    ...{ serverName: undefined, skipVerify: true, namespace: 'default' },
  };
  const client = new ApiClient(connection, options);
  try {
    await use(client);
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const failureOf = (client: ApiClient) =>
  client.call({ path: '/version' }).then(
    () => assert.fail('there is no hub'),
    (error: unknown) => error as HubUnreachable,
  );

describe('a port that is not the hub', () => {
  test('and accepts in silence is not waited for longer than said', async () => {
    const silent = () => undefined;
    await against(silent, { answerMs: 200 }, async client => {
      const error = await failureOf(client);
      assert.ok(error instanceof HubUnreachable);
      assert.match(error.message, /no answer within 0.2 s$/);
    });
  });

  test('and hangs up, or speaks something else, is told as what it is', async () => {
    const other = (socket: Socket) => void socket.write('* OK IMAP4rev1\r\n');
    for (const does of [(socket: Socket) => void socket.end(), other]) {
      await against(does, {}, async client => {
        const error = await failureOf(client);
        assert.match(error.hint ?? '', /speaks no HTTPS: is it the port of the hub/);
      });
    }
  });

  test('is waited for no longer once somebody interrupts, who is told nothing of a hub', async () => {
    const interrupt = new AbortController();
    const impatient = () => interrupt.abort();
    await against(impatient, { signal: interrupt.signal }, async client => {
      const error = await failureOf(client);
      assert.ok(!(error instanceof HubUnreachable));
    });
  });
});
