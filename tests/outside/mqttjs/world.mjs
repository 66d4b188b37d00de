// mqtt.js clients, with a deadline for everything they wait for.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventEmitter } from 'node:events';

const patienceMilliseconds = 15_000;
const keptSeconds = 300;
const protocolVersions = { v3: 4, v5: 5 };

// Where ./dev installs the package; another folder may be named.
const modules = process.env.MQTTRPC_NODE_MODULES ??
  join(dirname(fileURLToPath(import.meta.url)), '../../../build/outside/node_modules');
if (!existsSync(join(modules, 'mqtt'))) {
  console.error(`mqtt.js is not in ${modules}; './dev setup test' installs it`);
  process.exit(1);
}
const mqtt = createRequire(join(modules, 'x.js'))('mqtt');

// All clients of a scenario, and the broker's URL.
export class World {
  constructor(version, url) {
    this.version = version;
    this.url = url;
    this.peers = [];
    this.changed = new EventEmitter().setMaxListeners(0);
  }

  // A client, connected. kept: its session is resumed if there is one, and outlives
  // the connection. acknowledges: false: see Peer.acknowledgeAll().
  async join(name, settings = {}) {
    const peer = new Peer(this, name, settings);
    this.peers.push(peer);
    await this.until(`${name} is connected`, () => peer.sessionPresent !== undefined);
    return peer;
  }

  // Looks again whenever something happened to a client.
  async until(what, condition) {
    const expired = AbortSignal.timeout(patienceMilliseconds);
    const timer = setTimeout(() => {}, patienceMilliseconds * 2);  // The signal's timer alone keeps no process alive.
    try {
      while (!condition()) {
        if (expired.aborted) throw new Error(`not within ${patienceMilliseconds} ms: ${what}`);
        const failed = this.peers.find((peer) => peer.error);
        if (failed) throw new Error(`${failed.name}, before "${what}": ${failed.error}`);
        await new Promise((resolve) => {
          const done = () => {
            expired.removeEventListener('abort', done);
            this.changed.off('change', done);
            resolve();
          };
          expired.addEventListener('abort', done);
          this.changed.on('change', done);
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  // A round trip through the broker: what it had to send before has been sent.
  async untilAnswered(peer) {
    await peer.subscribe(`round/trip/${peer.name}`, { qos: 0 });
  }

  summary() {
    return this.peers.map((peer) => `\n  ${peer.name}: ${peer.client.connected ? 'connected' : 'gone'}, ` +
      `${peer.messages.length} messages, the last ${JSON.stringify(peer.payloads().slice(-3)).slice(0, 200)}`).join('');
  }
}

export class Peer {
  constructor(world, name, { kept = false, will, version, acknowledges = true, aliases, receiveMaximum, options }) {
    this.world = world;
    this.name = name;
    this.messages = [];  // Received and not taken yet.
    this.sessionPresent = undefined;  // Of the last connection; undefined before the first.
    this.reason = undefined;  // Of the broker's DISCONNECT.
    this.error = undefined;
    const protocolVersion = protocolVersions[version ?? world.version];
    const properties = {};
    if (kept) properties.sessionExpiryInterval = keptSeconds;
    if (aliases) properties.topicAliasMaximum = aliases;
    if (receiveMaximum) properties.receiveMaximum = receiveMaximum;
    this.client = mqtt.connect(world.url, {
      protocolVersion, clientId: name, clean: !kept, reconnectPeriod: 0, will, ...options,
      ...(protocolVersion === 5 ? { properties } : {}),
    });
    if (!acknowledges) {
      const held = [];
      this.client.handleMessage = (packet, done) => { held.push(done); };
      this.acknowledgeAll = () => {
        delete this.client.handleMessage;
        held.splice(0).forEach((done) => done());
      };
    }
    const changed = () => world.changed.emit('change');
    this.client.on('connect', ({ sessionPresent }) => { this.sessionPresent = sessionPresent; });
    this.client.on('disconnect', (packet) => { this.reason = packet.reasonCode; });
    this.client.on('error', (error) => { this.error = error; });
    this.client.on('message', (topic, payload, packet) => {
      this.messages.push({ ...packet, topic, payload: payload.toString() });
    });
    for (const event of ['connect', 'disconnect', 'error', 'message', 'close', 'packetreceive']) {
      this.client.on(event, changed);
    }
  }

  // The granted QoS.
  async subscribe(filter, options) {
    const packet = await this.answered(`${this.name} is subscribed to ${filter}`, (callback) =>
      this.client.subscribe(filter, options, callback));
    return packet.map((each) => each.qos);
  }

  publish(topic, payload, options) {
    return this.answered(`${this.name} has published to ${topic}`, (callback) =>
      this.client.publish(topic, payload, options, callback));
  }

  async next() {
    await this.world.until(`a message for ${this.name}`, () => this.messages.length > 0);
    return this.messages.shift();
  }

  payloads(topic) {
    return this.messages.filter((each) => topic === undefined || each.topic === topic).map((each) => each.payload);
  }

  // Ends in good order.
  async leave() {
    this.client.end();
    await this.world.until(`${this.name} has left`, () => !this.client.connected);
  }

  // Closes the connection with no DISCONNECT before.
  async cut() {
    this.client.stream.destroy();
    await this.world.until(`${this.name} is cut`, () => !this.client.connected);
  }

  // What the callback is called with, in time.
  async answered(what, start) {
    let outcome;
    start((error, result) => {
      outcome = { error, result };
      this.world.changed.emit('change');
    });
    await this.world.until(what, () => outcome);
    if (outcome.error) throw outcome.error;
    return outcome.result;
  }
}
