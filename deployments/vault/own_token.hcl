# What crisis asks of every token: who it is, and what it may do. The `default` policy grants it already.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
