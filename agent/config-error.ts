/** A mistake in the agent's settings: a sentence that names the setting, where it stood, and what is expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
