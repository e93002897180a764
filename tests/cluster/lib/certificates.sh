# shellcheck shell=bash
# The cluster's own authority, its certificates and the kubeconfigs that hold them. Made once for a state folder.

certificates_ensure() {
	[[ -d $CERTS ]] && return
	local made=$CERTS.part
	rm -rf "$made"
	mkdir -p "$made"
	(
		umask 077
		cd "$made"
		certificates_make
	) >"$LOGS/certificates.log" 2>&1 || fail "making certificates failed" "log: $LOGS/certificates.log"
	mv "$made" "$CERTS"
}

certificates_make() {
	local node
	authority_make ca /CN=msctl-test-ca
	authority_make front-proxy-ca /CN=msctl-test-front-proxy-ca
	openssl genrsa -out service-accounts.key 2048
	openssl rsa -in service-accounts.key -pubout -out service-accounts.pub

	certificate_make ca apiserver /CN=kube-apiserver "serverAuth" "$(api_server_names)"
	certificate_make ca apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
	certificate_make front-proxy-ca front-proxy-client /CN=front-proxy-client clientAuth
	certificate_make ca admin /O=system:masters/CN=msctl-test-admin clientAuth
	certificate_make ca kube-controller-manager /CN=system:kube-controller-manager clientAuth
	certificate_make ca kube-scheduler /CN=system:kube-scheduler clientAuth
	certificate_make ca kube-proxy /CN=system:kube-proxy clientAuth
	for node in "${NODES[@]}"; do
		certificate_make ca "$node" "/O=system:nodes/CN=system:node:$node" clientAuth,serverAuth "DNS:$node,IP:$(node_address "$node")"
	done
}

api_server_names() {
	local name names=IP:$API_ADDRESS,IP:$API_SERVICE_ADDRESS,IP:127.0.0.1,DNS:localhost
	for name in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do
		names+=,DNS:$name
	done
	echo "$names"
}

key_make() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

authority_make() {
	key_make "$1"
	openssl req -x509 -new -key "$1.key" -subj "$2" -days 3650 -out "$1.crt" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
}

# certificate_make AUTHORITY NAME SUBJECT USAGE [ALTERNATIVE-NAMES]
certificate_make() {
	key_make "$2"
	{
		echo "keyUsage=critical,digitalSignature"
		echo "extendedKeyUsage=$4"
		if [[ -n ${5:-} ]]; then echo "subjectAltName=$5"; fi
	} >"$2.ext"
	openssl req -new -key "$2.key" -subj "$3" |
		openssl x509 -req -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 3650 -extfile "$2.ext" -out "$2.crt"
}

# kubeconfig_write USER FILE: whole in itself, so that it can be copied.
kubeconfig_write() {
	(
		umask 077
		cat >"$2.part" <<-YAML
			apiVersion: v1
			kind: Config
			current-context: $CONTEXT
			clusters:
			- name: $CONTEXT
			  cluster:
			    server: $API_SERVER
			    certificate-authority-data: $(base64 -w0 "$CERTS/ca.crt")
			users:
			- name: $CONTEXT-$1
			  user:
			    client-certificate-data: $(base64 -w0 "$CERTS/$1.crt")
			    client-key-data: $(base64 -w0 "$CERTS/$1.key")
			contexts:
			- name: $CONTEXT
			  context:
			    cluster: $CONTEXT
			    user: $CONTEXT-$1
		YAML
	)
	mv "$2.part" "$2"
}
