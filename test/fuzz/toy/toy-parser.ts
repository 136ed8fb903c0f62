/** A parser with a bug behind four doors, three of which open for one byte alone: blind inputs do not find it, those led by coverage do. */

export function toyParser(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x46) return false;
  if (bytes[1] !== 0x4c) return false;
  if (bytes[2] !== 0x54) return false;
  if ((bytes[3] ?? 0) < 0xc8) return true;
  throw new RangeError('the planted bug');
}

/** The same behind a word that stands in no seed, put together so that it is no literal either. */
export function wordParser(text: string): boolean {
  const word = ['ope', 'ned', '-ses', 'ame'].join('');
  if (text.split(' ')[1] !== word) return false;
  throw new RangeError('the planted bug');
}

/** What goes on for ever, what grows, what shouts and what changes a prototype. */
export function misbehave(text: string): string {
  if (text.includes('loop')) for (;;);
  if (text.includes('slow')) for (const end = performance.now() + 1500; performance.now() < end;);
  if (text.includes('grow')) return String(Buffer.alloc(96 * 1024 * 1024, 1).length);
  if (text.includes('shout')) return 'x'.repeat(100_000);
  if (text.includes('taint')) Object.assign(Object.prototype, { tainted: true });
  return text;
}
