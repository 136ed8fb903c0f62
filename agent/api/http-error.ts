/** A refusal of the node's API: status code and a sentence. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
