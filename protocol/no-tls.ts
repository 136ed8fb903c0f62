/** Whether an error of a connection says that the other side speaks no TLS: a port that belongs to something else. Pure. */
export function speaksNoTls({ code = '', message }: NodeJS.ErrnoException): boolean {
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return true;
  return message === 'socket hang up' || message.includes('before secure TLS connection');
}
