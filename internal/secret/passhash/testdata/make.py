# Makes hashes.json with passlib, argon2-cffi, Django, OpenSSL, htpasswd, argon2, PHP, Node.js and slappasswd:
#   python3 make.py hashes.json
import json, hashlib, base64, subprocess, os, sys
rows=[]
def add(by, hash_type, hash, password, **cfg):
    if isinstance(hash,bytes): hash=hash.decode()
    r=dict(made_by=by, hash_type=hash_type, hash=hash, password=password)
    r.update(cfg); rows.append(r)
PW=["correct horse battery", "Grüße, пароль 密码 🔑", "x", "p"*71+"q"+"tail beyond the 72nd byte", " spaces at both ends "]
import passlib; from passlib import hash as H
V="passlib 1.7.4"
for p in PW:
    add(V,"crypt",H.md5_crypt.hash(p),p)
    add(V,"crypt",H.apr_md5_crypt.hash(p),p)
    add(V,"crypt",H.sha256_crypt.using(rounds=1000).hash(p),p)
    add(V,"crypt",H.sha512_crypt.using(rounds=5000).hash(p),p)
    add(V,"phpass",H.phpass.using(rounds=7).hash(p),p)
    add(V,"phpass",H.phpass.using(rounds=8,ident="H").hash(p),p)
    add(V,"ldap",H.ldap_salted_sha1.hash(p),p)
    add(V,"ldap",H.ldap_salted_md5.hash(p),p)
    add(V,"ldap",H.ldap_sha1.hash(p),p)
    add(V,"ldap",H.ldap_md5.hash(p),p)
    add(V,"ldap",H.ldap_salted_sha256.hash(p),p)
    add(V,"ldap",H.ldap_salted_sha512.hash(p),p)
    add(V,"ldap",H.ldap_sha512_crypt.using(rounds=1001).hash(p),p)
    add(V,"ldap",H.ldap_md5_crypt.hash(p),p)
    add(V,"pbkdf_2",H.pbkdf2_sha256.using(rounds=1000).hash(p),p)
    add(V,"pbkdf_2",H.pbkdf2_sha512.using(rounds=1000,salt_size=64).hash(p),p)
    add(V,"pbkdf_2",H.pbkdf2_sha1.using(rounds=1000).hash(p),p)
    add(V,"scrypt",H.scrypt.using(rounds=4,block_size=8,parallelism=2).hash(p),p)
    add(V,"bcrypt",H.bcrypt.using(rounds=4,ident="2b").hash(p),p)
    add(V,"bcrypt",H.bcrypt.using(rounds=4,ident="2y").hash(p),p)
    add(V,"django",H.django_salted_sha1.hash(p),p)
    add(V,"django",H.django_salted_md5.hash(p),p)
import argon2
ph=argon2.PasswordHasher(time_cost=1,memory_cost=64,parallelism=1)
for p in PW:
    add("argon2-cffi "+argon2.__version__,"argon_2id",ph.hash(p),p)
    add("argon2-cffi "+argon2.__version__,"argon_2id",argon2.PasswordHasher(2,256,4,24,8).hash(p),p)
    add("argon2-cffi "+argon2.__version__,"argon_2i",argon2.PasswordHasher(2,64,2,type=argon2.Type.I).hash(p),p)
    add("argon2-cffi "+argon2.__version__,"ldap","{ARGON2}"+ph.hash(p),p)
    for T,t in((argon2.Type.I,"argon_2i"),(argon2.Type.ID,"argon_2id")):
        raw=argon2.low_level.hash_secret_raw(p.encode(),b"a salt of text",2,128,2,40,T)
        add("argon2-cffi "+argon2.__version__,t,raw.hex(),p,argon_2_config=dict(salt="a salt of text",iteration_amount=2,memory=128,threads=2,key_length=40))
import django; from django.conf import settings; settings.configure(); django.setup()
from django.contrib.auth import hashers as dh
D="Django "+django.__version__
for p in PW:
    add(D,"django",dh.PBKDF2PasswordHasher().encode(p,"saltsalt",1000),p)
    add(D,"django",dh.PBKDF2SHA1PasswordHasher().encode(p,"saltsalt",1000),p)
    a=dh.Argon2PasswordHasher(); a.memory_cost=512; a.parallelism=8
    add(D,"django",a.encode(p,"saltsaltsalt"),p)
    b=dh.BCryptSHA256PasswordHasher(); b.rounds=4
    add(D,"django",b.encode(p,b.salt()),p)
    b=dh.BCryptPasswordHasher(); b.rounds=4
    add(D,"django",b.encode(p,b.salt()),p)
    add(D,"django",dh.SHA1PasswordHasher().encode(p,"salt"),p)
    add(D,"django",dh.MD5PasswordHasher().encode(p,"salt"),p)
    # Django 4's ScryptPasswordHasher.encode, with hashlib as it calls it
    h=base64.b64encode(hashlib.scrypt(p.encode(),salt=b"saltsalt",n=1<<4,r=8,p=1,maxmem=64<<20,dklen=64)).decode()
    add("Python hashlib.scrypt as Django 4 calls it","django","scrypt$%d$saltsalt$8$1$%s"%(1<<4,h),p)
    h=hashlib.scrypt(p.encode(),salt=bytes(range(200,216)),n=1<<5,r=4,p=3,dklen=32)
    add("Python hashlib.scrypt","scrypt",base64.b64encode(h),p,scrypt_config=dict(salt=base64.b64encode(bytes(range(200,216))).decode(),n_parameter=32,r_parameter=4,p_parameter=3,key_length=32))
for p in PW:
    for flag,t in(("-1","crypt"),("-apr1","crypt"),("-5","crypt"),("-6","crypt")):
        out=subprocess.run(["openssl","passwd",flag,"-stdin"],input=p.encode(),capture_output=True).stdout.decode().strip()
        add("openssl passwd 3.0.19",t,out,p)
    for flag,t in(("-B","bcrypt"),("-m","crypt"),("-s","ldap"),("-2","crypt"),("-5","crypt")):
        out=subprocess.run(["htpasswd","-n","-b",flag,"u",p],capture_output=True).stdout.decode().strip()
        if ":" in out and out.split(":",1)[1].startswith(("$","{")): add("Apache htpasswd",t,out.split(":",1)[1],p)
    for args in(["-id"],["-i"]):
        out=subprocess.run(["argon2","somesalt",*args,"-e","-t","2","-k","64","-p","2"],input=p.encode(),capture_output=True).stdout.decode().strip()
        add("argon2 (the reference)","argon_2id" if args[0]=="-id" else "argon_2i",out,p)
php=r'''
foreach(json_decode($argv[1]) as $p){
 $o=[];
 $v="PHP ".PHP_VERSION;
 $o[]=[$v,"bcrypt",password_hash($p,PASSWORD_BCRYPT,["cost"=>4]),$p];
 $o[]=[$v,"bcrypt",crypt($p,'$2x$04$abcdefghijklmnopqrstuu'),$p];
 $o[]=[$v,"bcrypt",crypt($p,'$2a$04$abcdefghijklmnopqrstuu'),$p];
 if(defined('PASSWORD_ARGON2ID')){
 $o[]=[$v,"argon_2id",password_hash($p,PASSWORD_ARGON2ID,["memory_cost"=>64,"time_cost"=>2,"threads"=>1]),$p];
 $o[]=[$v,"argon_2i",password_hash($p,PASSWORD_ARGON2I,["memory_cost"=>64,"time_cost"=>2,"threads"=>1]),$p];}
 $o[]=[$v,"md_5",md5("pre".$p."post"),$p,"md_5_config"];
 $o[]=[$v,"sha_1",sha1("pre".$p."post"),$p,"sha_1_config"];
 $o[]=[$v,"sha_256",hash("sha256","pre".$p."post"),$p,"sha_256_config"];
 $o[]=[$v,"sha_512",hash("sha512","pre".$p."post"),$p,"sha_512_config"];
 $o[]=[$v,"md_5",md5($p),$p];
 foreach($o as $r) echo json_encode($r,JSON_UNESCAPED_UNICODE),"\n";
}'''
out=subprocess.run(["php","-r",php,json.dumps(PW)],capture_output=True).stdout.decode()
for l in out.splitlines():
    r=json.loads(l)
    if r[1]=="bcrypt" and r[2].startswith("$2x") and any(ord(c)>127 for c in r[3]): continue
    add(*r[:4],**({r[4]:dict(prepend_salt="pre",append_salt="post")} if len(r)>4 else {}))
js=r'''
const c=require('crypto');
for(const p of JSON.parse(process.argv[1])){
 const s=Buffer.from('6f9c0000ff10a0b1c2d3e4f500112233','hex');
 const v='Node.js '+process.versions.node;
 const out=(t,h,k,cfg)=>console.log(JSON.stringify({made_by:v,hash_type:t,hash:h,password:p,[k]:cfg}));
 for(const [a,l] of [['sha256',32],['sha512',64],['sha256',100],['sha512',512]]) out('pbkdf_2',c.pbkdf2Sync(p,s,1000,l,a).toString('base64'),'pbkdf_2_config',{salt:s.toString('base64'),iteration_amount:1000,key_length:l,algorithm:a});
 out('scrypt',c.scryptSync(p,s,64,{N:16,r:8,p:1}).toString('base64'),'scrypt_config',{salt:s.toString('base64'),n_parameter:16,r_parameter:8,p_parameter:1,key_length:64});
 out('sha_512',c.createHash('sha512').update(p+'post').digest('hex'),'sha_512_config',{prepend_salt:'',append_salt:'post'});
 const k=c.randomBytes(64), sep=Buffer.from('Bw==','base64'), us=c.randomBytes(10);
 const dk=c.scryptSync(p,Buffer.concat([us,sep]),32,{N:16,r:8,p:1});
 const e=c.createCipheriv('aes-256-ctr',dk,Buffer.alloc(16));
 out('firebase_scrypt',Buffer.concat([e.update(k),e.final()]).toString('base64'),'firebase_scrypt_config',{salt:us.toString('base64'),signer_key:k.toString('base64'),salt_separator:'Bw==',rounds:8,mem_cost:4});
}'''
for l in subprocess.run(["node","-e",js,json.dumps(PW)],capture_output=True).stdout.decode().splitlines(): rows.append(json.loads(l))
for p in PW:
    for s in ("{SSHA}","{SHA}","{SMD5}","{MD5}"):
        try:
            out=subprocess.run(["slappasswd","-n","-h",s,"-s",p],capture_output=True).stdout.decode().strip()
            if out: add("OpenLDAP slappasswd","ldap",out,p)
        except FileNotFoundError: pass
with open(sys.argv[1],"w") as f:
    f.write("[\n"+",\n".join(json.dumps(r,ensure_ascii=False) for r in rows)+"\n]\n")
from collections import Counter
print(len(rows),Counter((r["made_by"],r["hash_type"]) for r in rows))
