/** The one place where the process's environment comes in. */

/** The environment, for the configuration readers of the roles. */
export function processEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}
