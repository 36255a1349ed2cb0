// A server under test: the real binary on a data folder of its own.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const binary = process.env.KINDRED_BIN;
const startWithin = 120_000;

export async function within(ms, promise, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message())), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function until(ms, holds, message) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await Promise.resolve().then(holds).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(message());
}

export class Server {
  #settings;
  #dataDir;
  #process;
  base;

  /** `settings` go to every command, such as `['--env', 'production']`. */
  constructor(...settings) {
    this.#settings = settings;
  }

  async start() {
    this.#dataDir ??= await mkdtemp(join(tmpdir(), 'kindred-browser-'));
    // The second start takes the port of the first, so that open pages find it again.
    const port = this.base ? new URL(this.base).port : '0';
    const child = spawn(binary, ['serve', '--port', port, ...this.#common()], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    const address = new Promise((resolve, reject) => {
      const read = (chunk) => {
        log = (log + chunk).slice(-20_000);
        const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(log);
        if (found) resolve(found[0]);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    });
    this.#process = child;
    this.base = await within(startWithin, address, () => `the server printed no address:\n${log}`);
    await until(startWithin, async () => (await fetch(`${this.base}/health/ready`)).ok, () => `${this.base}/health/ready is not ready:\n${log}`);
  }

  get isRunning() {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async stop() {
    if (!this.isRunning) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    const killer = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(killer);
  }

  async remove() {
    await this.stop();
    if (this.#dataDir) await rm(this.#dataDir, { recursive: true, force: true });
  }

  async token(role) {
    const { stdout } = await promisify(execFile)(binary, ['token', '--role', role, ...this.#common()], { timeout: 60_000 });
    const token = /[\w-]{8,}\.[\w-]{8,}\.[\w-]+/.exec(stdout)?.[0];
    assert.ok(token, `no token in: ${stdout}`);
    return token;
  }

  /** The data of a query that must not fail. */
  async graphql(query, variables = {}, token) {
    const response = await this.post({ query, variables }, token);
    const body = await response.json();
    assert.equal(body.errors, undefined, JSON.stringify(body.errors));
    return body.data;
  }

  post(body, token) {
    return fetch(`${this.base}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
  }

  #common() {
    return ['--data-dir', this.#dataDir, ...this.#settings];
  }
}
