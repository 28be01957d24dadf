# Break glass: keep it apart from the others, and name each connection.
path "database/reset/shop"       { capabilities = ["update"] }
path "database/rotate-root/shop" { capabilities = ["update"] }
