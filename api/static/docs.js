// Starts Swagger UI on this service's own document. Addresses are relative to the page: it may be under any prefix.

const response = await fetch("openapi.json");
const spec = await response.json();
spec.servers = [{ url: new URL(".", document.baseURI).href.replace(/\/$/, "") }];

SwaggerUIBundle({ spec, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
