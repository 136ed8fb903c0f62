/**
 * The words with which both ends of SPDY/3 prime their header compression (draft-mbelshe-httpbis-spdy-00, 2.6.10.1).
 * Zlib names a dictionary by its Adler-32, here e3c6a7c2; a test holds the bytes to that. Pure.
 */

/** Each stands there behind its length, 32 bits. */
const WORDS = [
  ...'options head post put delete trace accept accept-charset accept-encoding'.split(' '),
  ...'accept-language accept-ranges age allow authorization cache-control'.split(' '),
  ...'connection content-base content-encoding content-language content-length'.split(' '),
  ...'content-location content-md5 content-range content-type date etag expect'.split(' '),
  ...'expires from host if-match if-modified-since if-none-match if-range'.split(' '),
  ...'if-unmodified-since last-modified location max-forwards pragma'.split(' '),
  ...'proxy-authenticate proxy-authorization range referer retry-after server te'.split(' '),
  ...'trailer transfer-encoding upgrade user-agent vary via warning'.split(' '),
  ...'www-authenticate method get status'.split(' '),
  '200 OK',
  ...'version HTTP/1.1 url public set-cookie keep-alive origin'.split(' '),
];

const TAIL =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request' +
  '401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented' +
  '503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, ' +
  'Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,' +
  'application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,' +
  'sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

function counted(word: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(word.length);
  return Buffer.concat([length, Buffer.from(word)]);
}

export const HEADER_DICTIONARY = Buffer.concat([...WORDS.map(counted), Buffer.from(TAIL)]);
export const HEADER_DICTIONARY_ID = 0xe3c6a7c2;
