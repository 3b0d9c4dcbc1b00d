// The storefront: one request buys one product, with the help of catalog, cart and payments.
import { createServer, get, request } from 'node:http';
import { connect } from 'node:net';

const { PORT, CATALOG, CART_HOST, CART_PORT, PAYMENTS } = process.env;
const CARD = 'card=4111-1111-1111-1111';

function http(method, url, body) {
  return new Promise((resolve, reject) => {
    const call = (method === 'GET' ? get : request)(url, { method, agent: false, timeout: 5000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text.trim());
        else reject(new Error(`${url} answered ${response.statusCode}: ${text.trim()}`));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`${url} did not answer`)));
    call.on('error', (error) => reject(new Error(`${url}: ${error.message}`)));
    if (method !== 'GET') call.end(body);
  });
}

function addToCart(product) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: CART_HOST, port: Number(CART_PORT) }, () => socket.write(`ADD ${product}\n`));
    socket.setTimeout(5000, () => socket.destroy(new Error('the cart did not answer')));
    socket.once('data', (answer) => {
      socket.end();
      resolve(answer.toString().trim());
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the cart hung up')));
  });
}

async function buy(product) {
  const { price } = JSON.parse(await http('GET', `${CATALOG}/products/${product}`));
  const inCart = await addToCart(product);
  const receipt = await http('POST', `${PAYMENTS}/charge`, `${CARD} ${price}`);
  return { product, price, inCart, receipt };
}

const server = createServer((incoming, response) => {
  if (incoming.url === '/healthz') return response.end('ok\n');
  const product = incoming.url.slice('/buy/'.length);
  buy(product).then(
    (bought) => response.end(`${JSON.stringify(bought)}\n`),
    (error) => response.writeHead(502).end(`${error.message}\n`),
  );
});
server.listen(Number(PORT));
process.on('SIGTERM', () => process.exit(0));
