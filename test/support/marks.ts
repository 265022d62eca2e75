// What the fault tests send is marked, so that it is found wherever it should not be.

export const MARK = { user: 'zq7u', page: 'zq7p', site: 'zq7s', key: 'zq7k' };

export const KEYS = {
  write: `ffw_${MARK.key}_write_0123456789`,
  read: `ffr_${MARK.key}_read_0123456789`,
  admin: `ffa_${MARK.key}_admin_0123456789`,
  metrics: `ffm_${MARK.key}_metrics_0123456789`,
};

/** The settings that these keys are given by. */
export const KEY_SETTINGS = {
  WRITE_KEYS: KEYS.write,
  READ_KEYS: KEYS.read,
  ADMIN_KEYS: KEYS.admin,
  METRICS_KEYS: KEYS.metrics,
};

/** Clients' addresses, other than the one that the service listens on. */
export const address = (number: number) => `127.77.${number >> 8}.${number & 255}`;

const ADDRESS = /\b127\.77\.\d+\.\d+\b|\b(?:203\.0\.113|198\.51\.100)\.\d+\b|\b2001:db8:/;

/** Which marks stand in a text; `more` are further ones. */
export function marksIn(text: string, more: string[] = []): string[] {
  const found = [...Object.values(MARK), ...more].filter((mark) => text.includes(mark));
  const client = ADDRESS.exec(text)?.[0];
  return client === undefined ? found : [...found, client];
}
